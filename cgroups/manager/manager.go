package manager

import (
	"errors"
	"fmt"
	"os"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/cgroups/fs1"
	"berth/cgroups/fs2"
	"berth/cgroups/systemd"
)

// New prepares the cgroup that cfg describes; it makes nothing. Resources that the
// host cannot apply are refused here.
func New(cfg cgroups.Config) (cgroups.Manager, error) {
	if cfg.Driver == "disabled" {
		return none{}, nil
	}
	if err := known(cfg.Driver); err != nil {
		return nil, err
	}
	l, err := cgfile.Detect()
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.Driver == "systemd":
		return orNil(systemd.New(cfg, l))
	case l.V2:
		return orNil(fs2.New(cfg, l))
	}
	return orNil(fs1.New(cfg, l))
}

// known refuses a driver that cannot be had.
func known(driver string) error {
	switch {
	case driver == "" || driver == "cgroupfs":
		return nil
	case driver != "systemd":
		return fmt.Errorf("cgroup driver %q: not one of cgroupfs, systemd, disabled", driver)
	case !systemdRuns():
		return errors.New("cgroup driver systemd: systemd does not run on this host (no /run/systemd/system); use cgroupfs")
	}
	return nil
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

// Frozen tells whether the cgroup that a state file describes is frozen, as its
// Manager does; one that does not exist is not.
func Frozen(rec cgroups.Record) (bool, error) {
	if dir, v2 := rec.Paths[""]; v2 && dir != "" {
		return fs2.FrozenAt(dir)
	}
	if dir := rec.Paths["freezer"]; dir != "" {
		return fs1.FrozenAt(dir)
	}
	return false, nil
}

// Load takes up the cgroup that a state file describes; it touches nothing.
func Load(rec cgroups.Record) (cgroups.Manager, error) {
	if rec.Driver == "disabled" {
		return none{}, nil
	}
	if rec.Driver == "systemd" {
		return systemd.Load(rec), nil
	}
	if _, v2 := rec.Paths[""]; v2 {
		return fs2.Load(rec), nil
	}
	return fs1.Load(rec), nil
}
