package safepath

import (
	"syscall"

	"berth/internal/linux"
)

// MkdirAll opens the directory path below root with O_PATH and creates what is
// missing of it, component by component on file descriptors (CVE-2024-45310).
// Links are resolved inside root, and a link that points to nothing has its
// target created there, as images expect of /var/run → /run. mode is subject to
// the umask. path may end in ".." or "/".
func MkdirAll(root int, path string, mode uint32) (int, error) {
	return mkdirAll(root, path, mode, linux.ResolveInRoot)
}

// MkdirAllNoSymlinks is MkdirAll which refuses every link with ELOOP.
func MkdirAllNoSymlinks(root int, path string, mode uint32) (int, error) {
	return mkdirAll(root, path, mode, linux.ResolveInRoot|linux.ResolveNoSymlinks)
}

func mkdirAll(root int, path string, mode uint32, resolve uint64) (int, error) {
	fd, err := Open(root, path, linux.O_PATH|syscall.O_DIRECTORY, resolve)
	if err != syscall.ENOENT || path == "" {
		return fd, err
	}
	w := walk{flags: linux.O_PATH | syscall.O_DIRECTORY, resolve: resolve, mkdir: true, mode: mode}
	return w.run(root, path)
}

// MkFile opens the object path below root, which must not be a directory (EISDIR),
// with O_PATH. When there is none it creates an empty file there, and the
// directories above it with mode 0755; the fd is then open for writing. Links are
// resolved inside root.
func MkFile(root int, path string, mode uint32) (int, error) {
	if path == "" {
		return -1, syscall.ENOENT
	}
	w := walk{flags: linux.O_PATH, resolve: linux.ResolveInRoot, mkdir: true, mkfile: true, mode: mode}
	return w.run(root, path)
}

// MkFileAt is MkFile for one component in the directory dir; a link is refused
// with ELOOP, also when it is dangling.
func MkFileAt(dir int, name string, mode uint32) (int, error) {
	w := walk{flags: linux.O_PATH, resolve: linux.ResolveBeneath | linux.ResolveNoSymlinks, mkfile: true, mode: mode}
	first, rest := split(name)
	if first != name || rest != "" || name == "." || name == ".." || name == "" {
		return -1, syscall.EINVAL
	}
	return w.run(dir, name)
}
