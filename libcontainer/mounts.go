package libcontainer

import (
	"errors"
	"fmt"
	"strconv"

	"berth/internal/linux"
	"berth/libcontainer/launch"
	"berth/libcontainer/state"
	"berth/libcontainer/wire"
	"berth/specconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// AddMounts makes mounts in a container that runs, all of them or none. The fields
// are those of mounts in config.json; sources are paths of the host.
func (rt *Runtime) AddMounts(id string, list []specs.Mount) error {
	c, err := rt.openMountable(id)
	if err != nil {
		return err
	}
	defer c.close()
	h, err := specconv.ConvertMounts(list, c.state.Bundle, c.state.UserNS)
	if err != nil {
		return err
	}
	for _, w := range h.Warnings {
		rt.Log.Warn(w)
	}
	o := launch.Options{
		Plan:        &wire.Plan{HotMounts: &wire.HotMounts{}, Rootfs: wire.Rootfs{Mounts: h.Mounts}},
		IDMapMounts: h.IDMaps,
	}
	if len(h.IDMaps) > 0 {
		raw, err := c.dir.LoadConfig()
		if err != nil {
			return err
		}
		if o.UIDMappings, o.GIDMappings, err = specconv.DecodeMappings(raw); err != nil {
			return err
		}
	}
	return c.changeMounts(o, h.Namespaces)
}

// RemoveMounts unmounts the destinations of the list, in its order. Processes that
// use one of them keep what they have open.
func (rt *Runtime) RemoveMounts(id string, list []specs.Mount) error {
	c, err := rt.openMountable(id)
	if err != nil {
		return err
	}
	defer c.close()
	paths, err := specconv.Destinations(list)
	if err != nil {
		return err
	}
	return c.changeMounts(launch.Options{Plan: &wire.Plan{HotMounts: &wire.HotMounts{Remove: paths}}}, 0)
}

// openMountable opens and locks a container that has mounts to change: a process,
// and a mount namespace of its own.
func (rt *Runtime) openMountable(id string) (*opened, error) {
	c, status, err := withStatus(rt.openLocked(id))
	if err != nil {
		return nil, err
	}
	switch {
	case status == state.Stopped || status == state.Creating:
		err = ErrNotRunning
	case c.state.Namespaces&linux.CLONE_NEWNS == 0:
		err = fmt.Errorf("container %s has no mount namespace of its own", id)
	default:
		return c, nil
	}
	c.close()
	return nil, err
}

// changeMounts runs an init stage that enters the container's mount namespace.
// kinds are further namespaces it has to be in. It stays in berth's own cgroup: the
// container may be frozen, and has not asked for the work.
func (c *opened) changeMounts(o launch.Options, kinds uintptr) error {
	init, err := c.openInit()
	if err != nil {
		return err
	}
	defer init.close()
	ns, err := unix.Open("/proc/"+strconv.Itoa(c.state.PID)+"/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open mount namespace of %s: %w", c.state.ID, err)
	}
	defer unix.Close(ns)
	// The path led to this container if its init has not ended meanwhile.
	if alive, err := c.state.Alive(); err != nil || !alive {
		return errors.Join(ErrNotRunning, err)
	}
	o.Plan.StartListener, o.Plan.UserNS = -1, c.state.UserNS
	o.Target = &launch.Target{PID: c.state.PID, Pidfd: init.pidfd, Only: unix.CLONE_NEWUSER | kinds}
	o.Listener, o.Console, o.MountNS, o.Sealed = -1, -1, ns, true
	child, err := launch.Start(o)
	if err != nil {
		return err
	}
	defer child.Kill()
	return child.UntilReady(nil, c.rt.Log.Warn)
}
