package manager

import (
	"errors"
	"fmt"
	"os"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/cgroups/fs1"
	"berth/cgroups/fs2"
)

// New prepares the cgroup that cfg describes; it makes nothing. Resources that the
// host cannot apply are refused here.
func New(cfg cgroups.Config) (cgroups.Manager, error) {
	if cfg.Driver == "disabled" {
		return none{}, nil
	}
	if cfg.Driver == "systemd" && !systemdRuns() {
		return nil, errors.New("cgroup driver systemd: systemd does not run on this host (no /run/systemd/system); use cgroupfs")
	}
	l, err := cgfile.Detect()
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.Driver != "" && cfg.Driver != "cgroupfs":
		err = fmt.Errorf("cgroup driver %q: not one of cgroupfs, systemd, disabled", cfg.Driver)
	case l.V2:
		return orNil(fs2.New(cfg, l))
	default:
		return orNil(fs1.New(cfg, l))
	}
	return nil, err
}

// orNil keeps a nil pointer out of the interface.
func orNil[M cgroups.Manager](m M, err error) (cgroups.Manager, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// systemdRuns is the test sd_booted(3) makes.
func systemdRuns() bool {
	fi, err := os.Lstat("/run/systemd/system")
	return err == nil && fi.IsDir()
}

// Load takes up the cgroup that a state file describes; it touches nothing.
func Load(rec cgroups.Record) (cgroups.Manager, error) {
	if rec.Driver == "disabled" {
		return none{}, nil
	}
	if _, v2 := rec.Paths[""]; v2 {
		return fs2.Load(rec), nil
	}
	return fs1.Load(rec), nil
}
