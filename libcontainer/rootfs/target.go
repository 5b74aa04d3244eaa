package rootfs

import (
	"errors"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// target is the object that a mount goes on.
type target struct {
	fd int // O_PATH
	// made says that the directory for a tmpfs was missing and has been created.
	made bool
}

// openTarget opens the destination of m inside the root, and creates it when it
// is missing: a directory, or an empty file when dir is false. A destination of
// the other kind is ENOTDIR, which engines explain to their users.
func (r *Root) openTarget(m *wire.Mount, dir bool) (target, error) {
	t, err := r.openKind(m, dir)
	if err == nil && !dir && isDir(t.fd) {
		closeFD(t.fd)
		err = syscall.ENOTDIR
	}
	if err != nil {
		return target{}, linux.Wrap("open destination", err)
	}
	if err := checkProc(m, t.fd); err != nil {
		closeFD(t.fd)
		return target{}, err
	}
	return t, nil
}

func (r *Root) openKind(m *wire.Mount, dir bool) (t target, err error) {
	switch {
	case m.Type == "proc" || m.Type == "sysfs":
		t, err = r.openPlain(m)
	case m.DestNofollow:
		t.fd, err = safepath.OpenInRoot(r.fd, m.Destination, linux.O_PATH|syscall.O_NOFOLLOW)
	case dir && m.Type != "tmpfs":
		t.fd, err = safepath.MkdirAll(r.fd, m.Destination, 0o755)
	case dir:
		t.fd, err = safepath.OpenInRoot(r.fd, m.Destination, linux.O_PATH|syscall.O_DIRECTORY)
		if err == syscall.ENOENT {
			t.made = true
			t.fd, err = safepath.MkdirAll(r.fd, m.Destination, 0o755)
		}
	default:
		t.fd, err = safepath.OpenInRoot(r.fd, m.Destination, linux.O_PATH)
		if err == syscall.ENOENT {
			t.fd, err = safepath.MkFile(r.fd, m.Destination, 0o755)
		}
	}
	return t, err
}

// openPlain opens the directory for a proc or sysfs. A link in the image would
// put it elsewhere and leave what later looks like /proc in the image's hands
// (CVE-2019-19921).
func (r *Root) openPlain(m *wire.Mount) (target, error) {
	fd, err := safepath.MkdirAllNoSymlinks(r.fd, m.Destination, 0o755)
	if err == syscall.ELOOP || err == syscall.ENOTDIR {
		err = &safepath.Refusal{
			Object: m.Destination,
			Reason: "filesystem \"" + m.Type + "\" must be mounted on ordinary directory",
			Err:    err,
		}
	}
	return target{fd: fd}, err
}

// checkProc refuses mounts that would put a file of the container's choice where
// the kernel's are expected: below /proc only what lxcfs emulates may be covered,
// and /proc itself only by a procfs.
func checkProc(m *wire.Mount, fd int) error {
	dest := cleanPath(m.Destination)
	refuse := func(reason string) error { return &safepath.Refusal{Object: dest, Reason: reason} }
	switch {
	case dest == "/proc":
		if m.Type != "proc" && !m.Bind && m.FD < 0 {
			return refuse("it cannot be mounted because it is not of type proc")
		}
		return nil // a bind's source is looked at in mountBind
	case hasPrefix(dest, "/proc/"):
		if !emulated(dest[len("/proc/"):]) {
			return refuse("it cannot be mounted because it is inside /proc")
		}
		return nil
	case m.Type == "proc" && !m.Bind:
		return nil
	}
	magic, err := fsType(fd)
	if err != nil {
		return err
	}
	if magic == linux.ProcSuperMagic {
		return refuse("it cannot be mounted because it leads into a procfs")
	}
	return nil
}

// emulated lists the files of procfs that may be covered.
func emulated(name string) bool {
	switch name {
	case "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo",
		"sys/kernel/ns_last_pid", "sys/crypto/fips_enabled":
		return true
	}
	return false
}

func fsType(fd int) (int64, error) {
	var fs syscall.Statfs_t
	err := syscall.Fstatfs(fd, &fs)
	return fs.Type, linux.Wrap("statfs", err)
}

func isDir(fd int) bool {
	var st syscall.Stat_t
	return syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFDIR
}

// errno returns the errno in err, 0 when there is none.
func errno(err error) syscall.Errno {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return 0
}
