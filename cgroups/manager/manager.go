package manager

import (
	"fmt"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/cgroups/fs1"
)

// New prepares the cgroup that cfg describes; it makes nothing. Resources that the
// host cannot apply are refused here.
func New(cfg cgroups.Config) (cgroups.Manager, error) {
	if cfg.Driver == "disabled" {
		return none{}, nil
	}
	l, err := cgfile.Detect()
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.Driver != "" && cfg.Driver != "cgroupfs":
		return nil, fmt.Errorf("cgroup driver %q: not one of cgroupfs, systemd, disabled", cfg.Driver)
	default:
		return fs1.New(cfg, l)
	}
}

// Load takes up the cgroup that a state file describes; it touches nothing.
func Load(rec cgroups.Record) (cgroups.Manager, error) {
	if rec.Driver == "disabled" {
		return none{}, nil
	}
	return fs1.Load(rec), nil
}
