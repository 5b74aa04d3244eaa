package cgfile

import (
	"errors"
	"math"
	"path"
	"strings"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// RoomIn is Room for the cgroup that open opens, or its child sub.
func RoomIn(open func() (*Dir, error), sub string) (uint64, error) {
	d, err := open()
	if err != nil {
		return 0, err
	}
	if sub = strings.Trim(sub, "/"); sub != "" {
		s, err := d.Sub(sub)
		if err != nil {
			return 0, err
		}
		defer s.Close()
		d = s
	}
	return d.Room()
}

// Room tells how many tasks more the pids limits of d and of all cgroups above it
// allow. Limits that cannot be seen from here do not count.
func (d *Dir) Room() (uint64, error) {
	room := uint64(math.MaxUint64)
	cur := d
	for {
		left, err := cur.ownRoom()
		room = min(room, left)
		var up *Dir
		if err == nil {
			up, err = cur.above()
		}
		if cur != d {
			cur.Close()
		}
		// The root of the hierarchy has no limit, and no file for one.
		if Missing(err) || errors.Is(err, unix.EXDEV) {
			return room, nil
		}
		if err != nil {
			return 0, err
		}
		cur = up
	}
}

// ownRoom is what d's own limit leaves.
func (d *Dir) ownRoom() (uint64, error) {
	limit, err := d.ReadUint("pids.max")
	if err != nil || limit == math.MaxUint64 {
		return math.MaxUint64, err
	}
	used, err := d.ReadUint("pids.current")
	if err != nil {
		return math.MaxUint64, err
	}
	return limit - min(limit, used), nil
}

// above opens the parent, unless d is where the hierarchy is mounted (EXDEV).
func (d *Dir) above() (*Dir, error) {
	fd, err := openPath(d.fd, "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, linux.ResolveNoXdev|linux.ResolveNoSymlinks)
	if err != nil {
		return nil, err
	}
	return &Dir{fd: fd, Path: path.Dir(d.Path)}, nil
}
