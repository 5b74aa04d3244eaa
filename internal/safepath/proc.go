package safepath

import (
	"errors"
	"strconv"
	"syscall"

	"berth/internal/linux"
)

// procRootIno is the inode number of every procfs root (PROC_ROOT_INO).
const procRootIno = 1

// Proc is a handle of a procfs root that was verified to be one. It must not be
// copied, and be closed after use.
type Proc struct {
	fd int
}

// OpenProc returns a procfs that nobody can mount anything on: a new mount that
// is attached nowhere. Where the kernel refuses one (before v5.2; in a user
// namespace that sees no complete procfs) it is HostProc.
//
// It shows the caller's pid namespace. Closing it costs a wait for an RCU grace
// period, as every unmount does: where no container has had a hand in /proc,
// HostProc serves as well.
func OpenProc() (*Proc, error) {
	fd, err := privateProc()
	if err != nil {
		return HostProc()
	}
	return verified(fd)
}

func privateProc() (int, error) {
	fs, err := linux.Fsopen("proc")
	if err != nil {
		return -1, err
	}
	defer closeFD(fs)
	if err := linux.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return linux.Fsmount(fs, linux.MountAttrNosuid|linux.MountAttrNodev|linux.MountAttrNoexec)
}

// HostProc opens and verifies what is mounted on /proc.
func HostProc() (*Proc, error) {
	fd, err := linux.Openat(linux.AT_FDCWD, "/proc", linux.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, linux.Wrap("open /proc", err)
	}
	return verified(fd)
}

// verified takes fd over when it is the root of a procfs.
func verified(fd int) (*Proc, error) {
	err := verifyProc(fd, "/proc")
	if err == nil {
		var st syscall.Stat_t
		if err = syscall.Fstat(fd, &st); err == nil && st.Ino != procRootIno {
			err = &Refusal{Object: "/proc", Reason: "it is not the root of a procfs"}
		}
	}
	if err != nil {
		closeFD(fd)
		return nil, err
	}
	return &Proc{fd: fd}, nil
}

// verifyProc checks that fd is on a procfs.
func verifyProc(fd int, path string) error {
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &fs); err != nil {
		return linux.Wrap("statfs "+path, err)
	}
	if fs.Type != linux.ProcSuperMagic {
		return &Refusal{Object: path, Reason: "it is not on a procfs"}
	}
	return nil
}

// FD returns the O_PATH fd of the root, which p keeps.
func (p *Proc) FD() int { return p.fd }

// Close gives the handle up.
func (p *Proc) Close() {
	closeFD(p.fd)
	p.fd = -1
}

// Open opens path, relative to the procfs root. It crosses no mount and follows no
// magic link: those are Refusals.
func (p *Proc) Open(path string, flags int) (int, error) {
	const resolve = linux.ResolveBeneath | linux.ResolveNoXdev
	fd, err := Open(p.fd, path, flags, resolve)
	if err != nil {
		return -1, refuseEscape("/proc/"+path, err)
	}
	// The walk on kernels before v5.8 cannot tell all mounts apart; the file
	// system it ended on, however, is certain.
	if err := verifyProc(fd, "/proc/"+path); err != nil {
		closeFD(fd)
		return -1, err
	}
	return fd, nil
}

// OpenThreadSelf opens sub in the directory of the calling thread, which stays
// locked to its goroutine while the fd is in use.
func (p *Proc) OpenThreadSelf(sub string, flags int) (int, error) {
	return p.Open("thread-self/"+sub, flags)
}

// FDPath returns the path of fd, relative to the procfs root, for system calls
// that take no fd: fchdir(2) to FD first.
func FDPath(fd int) string { return "thread-self/fd/" + strconv.Itoa(fd) }

// Reopen opens the object that fd stands for anew, with other flags. fd may be an
// O_PATH one, but not one of a symlink.
func (p *Proc) Reopen(fd, flags int) (int, error) {
	name := strconv.Itoa(fd)
	dir, err := p.OpenThreadSelf("fd", linux.O_PATH|syscall.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	defer closeFD(dir)
	// The link itself has to be the kernel's, not something mounted over it; only
	// then is it followed.
	link, err := Open(dir, name, linux.O_PATH|syscall.O_NOFOLLOW, linux.ResolveBeneath|linux.ResolveNoXdev)
	if err != nil {
		return -1, refuseEscape("/proc/thread-self/fd/"+name, err)
	}
	closeFD(link)
	return linux.Openat(dir, name, flags&^syscall.O_NOFOLLOW, 0)
}

// Reopen is Proc.Reopen through the procfs on /proc.
func Reopen(fd, flags int) (int, error) {
	p, err := HostProc()
	if err != nil {
		return -1, err
	}
	defer p.Close()
	return p.Reopen(fd, flags)
}

// IsRefusal tells whether err is, or wraps, a Refusal.
func IsRefusal(err error) bool {
	var r *Refusal
	return errors.As(err, &r)
}
