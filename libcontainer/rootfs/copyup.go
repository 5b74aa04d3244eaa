package rootfs

import (
	"syscall"

	"berth/internal/linux"
)

// maxDepth bounds the directories that tmpcopyup descends, two fds each.
const maxDepth = 128

// copyUp copies what the directory from holds into the new file system to.
// from belongs to the image: every object is opened without following links.
func (r *Root) copyUp(from, to int) error {
	src, err := linux.Openat(from, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return linux.Wrap("tmpcopyup: open directory", err)
	}
	defer closeFD(src)
	dst, err := linux.Openat(to, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return linux.Wrap("tmpcopyup: open tmpfs", err)
	}
	defer closeFD(dst)
	if err := r.copyDir(src, dst, maxDepth); err != nil {
		return linux.Wrap("tmpcopyup", err)
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(src, &st); err != nil {
		return linux.Wrap("tmpcopyup", err)
	}
	// The mode is the mount's: mode= of the options, or taken over before.
	r.copyOwner(dst, "", &st)
	return nil
}

func (r *Root) copyDir(src, dst, depth int) error {
	if depth == 0 {
		return syscall.ENAMETOOLONG
	}
	names, err := readDir(src)
	if err != nil {
		return linux.Wrap("read directory", err)
	}
	for _, name := range names {
		if err := r.copyEntry(src, dst, name, depth); err != nil {
			return linux.Wrap(name, err)
		}
	}
	return nil
}

func (r *Root) copyEntry(src, dst int, name string, depth int) error {
	var st syscall.Stat_t
	if err := linux.Fstatat(src, name, &st, linux.AtSymlinkNofollow); err != nil {
		return err
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		if err := syscall.Mkdirat(dst, name, 0o700); err != nil {
			return err
		}
		return r.copyOpened(src, dst, name, syscall.O_RDONLY|syscall.O_DIRECTORY, func(s, d int) error {
			return r.copyDir(s, d, depth-1)
		})
	case syscall.S_IFREG:
		return r.copyOpened(src, dst, name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL, copyData)
	case syscall.S_IFLNK:
		text, err := linux.Readlinkat(src, name)
		if err == nil {
			err = linux.Symlinkat(text, dst, name)
		}
		if err == nil {
			r.copyOwner(dst, name, &st)
		}
		return err
	}
	if err := syscall.Mknodat(dst, name, st.Mode, int(st.Rdev)); err != nil {
		r.warn("tmpcopyup: " + name + " is left out: " + err.Error())
		return nil //nolint:nilerr // a user namespace may make no device nodes; the rest is copied
	}
	r.copyOwner(dst, name, &st)
	return nil
}

// copyOpened opens name on both sides, has copyBody copy the content, and then
// sets owner, attributes and mode.
func (r *Root) copyOpened(src, dst int, name string, flags int, copyBody func(s, d int) error) error {
	// O_NONBLOCK: what was a file a moment ago may be a fifo now.
	s, err := linux.Openat(src, name, syscall.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|flags&syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer closeFD(s)
	var st syscall.Stat_t
	if err := syscall.Fstat(s, &st); err != nil {
		return err
	}
	d, err := linux.Openat(dst, name, flags|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer closeFD(d)
	if err := copyBody(s, d); err != nil {
		return err
	}
	r.copyOwner(d, "", &st)
	copyXattrs(s, d)
	// After the owner, whose change clears the set-id bits.
	if err := syscall.Fchmod(d, st.Mode&0o7777); err != nil {
		return err
	}
	return linux.Futimens(d, st.Atim, st.Mtim)
}

// copyOwner gives the object, d itself or the name in it, its owner. In a user
// namespace the image's ids may have no mapping: then it stays the container's
// root's.
func (r *Root) copyOwner(d int, name string, st *syscall.Stat_t) {
	if st.Uid == 0 && st.Gid == 0 {
		return
	}
	err := syscall.Fchownat(d, name, int(st.Uid), int(st.Gid), linux.AtEmptyPath|linux.AtSymlinkNofollow)
	if err != nil {
		r.warn("tmpcopyup: owner of " + name + " is not kept: " + err.Error())
	}
}

func copyData(src, dst int) error {
	for {
		n, err := syscall.Sendfile(dst, src, nil, 1<<20)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
	}
}

// copyXattrs copies the extended attributes that dst's file system takes.
func copyXattrs(src, dst int) {
	names, err := linux.Flistxattr(src)
	if err != nil {
		return
	}
	for len(names) > 0 {
		n := 0
		for n < len(names) && names[n] != 0 {
			n++
		}
		name := string(names[:n])
		names = names[min(n+1, len(names)):]
		if value, err := linux.Fgetxattr(src, name); err == nil {
			// Best effort: a tmpfs may know fewer names than the image's file system.
			_ = linux.Fsetxattr(dst, name, value)
		}
	}
}

// readDir returns the names in the directory fd, without "." and "..".
func readDir(fd int) (names []string, err error) {
	buf := make([]byte, 8192)
	for {
		n, err := syscall.ReadDirent(fd, buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			return names, nil
		}
		_, _, names = syscall.ParseDirent(buf[:n], -1, names)
	}
}
