package safepath

import (
	"sync/atomic"
	"syscall"

	"berth/internal/linux"
)

// attempts bounds how often openat2(2) is called anew after EAGAIN, which a
// rename or mount anywhere on the machine causes while a ".." is resolved. After
// that the walk takes over, which no such race disturbs.
const attempts = 32

// noOpenat2 remembers that the kernel has no openat2(2). Tests set it.
var noOpenat2 atomic.Bool

// OpenInRoot opens path below root as if root were "/" (openat2(2),
// RESOLVE_IN_ROOT): neither "..", nor an absolute link, nor a racing rename leads
// out of it. Magic links are not followed (ELOOP). With O_NOFOLLOW the last
// component is not followed either. O_CREAT is not allowed: see MkFile.
func OpenInRoot(root int, path string, flags int) (int, error) {
	return Open(root, path, flags, linux.ResolveInRoot)
}

// Open is OpenInRoot with the Resolve* bits of openat2(2) of the caller's choice;
// ResolveInRoot or ResolveBeneath has to be one of them, ResolveNoMagiclinks is
// added.
func Open(root int, path string, flags int, resolve uint64) (int, error) {
	if flags&(syscall.O_CREAT|linux.O_TMPFILE&^syscall.O_DIRECTORY) != 0 ||
		resolve&(linux.ResolveInRoot|linux.ResolveBeneath) == 0 {
		return -1, syscall.EINVAL
	}
	if path == "" {
		return -1, syscall.ENOENT
	}
	resolve |= linux.ResolveNoMagiclinks
	if !noOpenat2.Load() {
		fd, err := openat2(root, path, flags, resolve)
		switch err {
		case syscall.ENOSYS:
			noOpenat2.Store(true)
		case syscall.EPERM, syscall.EAGAIN:
			// EPERM: a seccomp filter older than the system call, or the file's own
			// answer, which the walk then repeats.
		default:
			return fd, err
		}
	}
	w := walk{flags: flags, resolve: resolve}
	return w.run(root, path)
}

func openat2(root int, path string, flags int, resolve uint64) (int, error) {
	how := linux.OpenHow{Flags: uint64(flags), Resolve: resolve}
	for i := 1; ; i++ {
		fd, err := linux.Openat2(root, path, how)
		if err != syscall.EAGAIN || i == attempts {
			return fd, err
		}
	}
}
