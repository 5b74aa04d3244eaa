package launch

import (
	"errors"
	"fmt"

	"berth/internal/idmap"
	"berth/libcontainer/configs"
	"berth/libcontainer/wire"
	"berth/nsenter"

	"golang.org/x/sys/unix"
)

// openMounts opens those bind mounts in the parent that the init stage could not
// make itself: idmapped ones, and in a new user namespace all, since its root may
// not pass through the directories above a source. The fds are written into the
// plan; close gives them back once the child has inherited them.
func openMounts(o *Options) (closeAll func(), err error) {
	var fds []int
	closeAll = func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	mounts := o.Plan.Rootfs.Mounts
	for _, m := range o.IDMapMounts {
		fd, err := openIDMapped(&mounts[m.Mount], m, o)
		if err != nil {
			closeAll()
			return nil, err
		}
		mounts[m.Mount].FD = fd
		fds = append(fds, fd)
	}
	if o.Anteroom > 0 {
		list, err := o.openHost()
		if err != nil {
			// The copy of the host's mounts works always, or says what is wrong.
			o.Anteroom = 0
		}
		fds = append(fds, list...)
	}
	if !o.Plan.UserNS || unix.Geteuid() != 0 {
		return closeAll, nil
	}
	if l := o.Plan.Rootfs.Layer; l != nil && l.Path != "" {
		fd, err := unix.OpenTree(unix.AT_FDCWD, l.Path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
		if err != nil {
			closeAll()
			return nil, fmt.Errorf("open %s: %w", l.Path, err)
		}
		l.FD = fd
		fds = append(fds, fd)
	}
	for i := range mounts {
		m := &mounts[i]
		if !m.Bind || m.FD >= 0 || m.Source == "" {
			continue
		}
		if fd, err := o.cloneSource(m); err == nil {
			m.FD = fd
			fds = append(fds, fd)
		} // else: the init stage tries, and knows how to say what is wrong
	}
	return closeAll, nil
}

// cloneSource makes a detached bind of a mount's source.
func (o *Options) cloneSource(m *wire.Mount) (int, error) {
	flags := uint(0)
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	if m.SrcNofollow {
		flags |= unix.AT_SYMLINK_NOFOLLOW
	}
	return o.cloneTree(unix.AT_FDCWD, m.Source, flags)
}

// cloneTree makes a detached bind of a host's directory or file. The clone is a peer of
// the mount it is made from. It becomes a slave at least, like the copies in a new
// mount namespace, before anybody else has it: what the container mounts below it
// would appear on the host (integration.TestMountsStayInside).
func (o *Options) cloneTree(dirfd int, path string, flags uint) (int, error) {
	fd, err := unix.OpenTree(dirfd, path, flags|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, err
	}
	types := o.Plan.Rootfs.Propagation &^ unix.MS_REC
	if types == 0 {
		types = unix.MS_SLAVE
	}
	attr := unix.MountAttr{Propagation: types}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("set mount propagation: %w", err)
	}
	return fd, nil
}

// openIDMapped makes a detached bind whose files appear with mapped owners
// (mount_setattr(2), MOUNT_ATTR_IDMAP, since v5.12).
func openIDMapped(m *wire.Mount, mapped configs.IDMapMount, o *Options) (int, error) {
	uids, gids := mapped.UIDMappings, mapped.GIDMappings
	if len(uids) == 0 && len(gids) == 0 {
		uids, gids = o.UIDMappings, o.GIDMappings
	}
	userns, err := userNamespace(uids, gids)
	if err != nil {
		return -1, fmt.Errorf("idmap of mount %s: %w", m.Destination, err)
	}
	defer unix.Close(userns)
	fd, err := o.cloneSource(m)
	if err != nil {
		return -1, fmt.Errorf("open mount source %s: %w", m.Source, err)
	}
	flags := uint(unix.AT_EMPTY_PATH)
	if mapped.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns)}
	if err := unix.MountSetattr(fd, "", flags, &attr); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("idmap mount of %s (does its file system support it?): %w", m.Source, err)
	}
	return fd, nil
}

// userNamespace returns an fd of a user namespace with the given maps. A child
// that never executes anything holds it until it is open.
func userNamespace(uids, gids []configs.IDMap) (int, error) {
	fd := -1
	opened := errors.New("opened")
	_, err := nsenter.Start(nsenter.Options{
		New:      unix.CLONE_NEWUSER,
		CgroupFD: -1,
		ExeFD:    -1,
		Maps: func(pid int) (err error) {
			if err := idmap.Write(pid, uids, gids); err != nil {
				return err
			}
			if fd, err = unix.Open(fmt.Sprintf("/proc/%d/ns/user", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
				return fmt.Errorf("open user namespace: %w", err)
			}
			return opened
		},
	})
	if errors.Is(err, opened) {
		err = nil
	}
	return fd, err
}
