package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
)

// MountConsole binds the pty slave, open as pts, on /dev/console. pts has to be
// on a devpts of this mount namespace, of the host's copy or the container's, and
// stays the caller's.
//
// The slave comes as fd and is verified, as /dev/pts/N may have been swapped
// (CVE-2025-52565); a /dev/console of the image that is a link is refused, as a
// file would be made where it leads (CVE-2026-88264).
func (r *Root) MountConsole(pts int) error {
	return linux.Wrap("mount console", r.mountConsole(pts))
}

func (r *Root) mountConsole(pts int) error {
	if err := verifyPts(pts); err != nil {
		return err
	}
	defer syscall.Umask(syscall.Umask(0))
	dir, err := safepath.MkdirAll(r.fd, "/dev", 0o755)
	if err != nil {
		return linux.Wrap("open /dev", err)
	}
	defer closeFD(dir)
	dst, err := safepath.MkFileAt(dir, "console", 0o666)
	if err == syscall.ELOOP {
		return &safepath.Refusal{Object: "/dev/console", Reason: "it is a symbolic link", Err: err}
	}
	if err != nil {
		return linux.Wrap("open /dev/console", err)
	}
	defer closeFD(dst)
	if r.legacy {
		return linux.Wrap("bind", r.bindAt(pts, dst, 0))
	}
	tree, err := linux.OpenTree(pts, "", linux.OpenTreeClone|linux.AtEmptyPath)
	if err != nil {
		return linux.Wrap("open terminal", err)
	}
	defer closeFD(tree)
	return linux.Wrap("move mount", linux.MoveMount(tree, dst))
}

// verifyPts makes sure that fd is a pty slave of a devpts.
func verifyPts(fd int) error {
	magic, err := fsType(fd)
	if err != nil {
		return err
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return linux.Wrap("stat terminal", err)
	}
	// UNIX98_PTY_SLAVE_MAJOR: 136 to 143 (Documentation/admin-guide/devices.txt).
	major := st.Rdev >> 8 & 0xfff
	if magic != linux.DevptsMagic || st.Mode&syscall.S_IFMT != syscall.S_IFCHR || major < 136 || major > 143 {
		return &safepath.Refusal{Object: "terminal", Reason: "it is not a pty slave on a devpts"}
	}
	return nil
}
