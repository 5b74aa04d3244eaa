package launch

import (
	"fmt"
	"os"

	"berth/internal/embedded"

	"golang.org/x/sys/unix"
)

// openSelf opens berth's own binary for execveat(2) in a way that lets no process
// of the container write to it through /proc/PID/exe (CVE-2019-5736).
//
// A detached, read-only clone of the binary's mount costs microseconds. A
// container that holds CAP_SYS_ADMIN in the host's user namespace could make that
// mount writable again, and an unprivileged user cannot clone mounts: both get a
// sealed copy in memory (2–3 ms).
func openSelf(sealed bool) (int, error) {
	if !sealed {
		if fd, err := cloneSelf(); err == nil {
			return fd, nil
		}
	}
	return copySelf()
}

func cloneSelf() (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, "/proc/self/exe", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func copySelf() (int, error) {
	src, err := os.Open("/proc/self/exe")
	if err != nil {
		return -1, fmt.Errorf("open own binary: %w", err)
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return -1, fmt.Errorf("stat own binary: %w", err)
	}
	fd, err := executableMemfd()
	if err != nil {
		return -1, err
	}
	if err := copyFile(fd, src, st.Size()); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("copy own binary to memory: %w", err)
	}
	if err := embedded.Seal(fd); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("seal copy of own binary: %w", err)
	}
	return fd, nil
}

// copyFile leaves holes for the embedded programs, two thirds of the binary, which
// the init stage never reads.
func copyFile(to int, from *os.File, size int64) error {
	head := make([]byte, 4096)
	n, err := from.ReadAt(head, 0)
	if err != nil {
		return err
	}
	at := int64(0)
	for _, hole := range embedded.Extents(head[:n]) {
		if err := copyRange(to, from, at, hole.Start); err != nil {
			return err
		}
		at = hole.End
	}
	return copyRange(to, from, at, size)
}

// copyRange copies the bytes from start to end to the same place.
func copyRange(to int, from *os.File, start, end int64) error {
	if _, err := unix.Seek(to, start, unix.SEEK_SET); err != nil {
		return err
	}
	for start < end {
		n, err := unix.Sendfile(to, int(from.Fd()), &start, int(end-start))
		if err == nil && n == 0 {
			return fmt.Errorf("%d bytes are missing", end-start)
		}
		if err != nil && err != unix.EINTR {
			return err
		}
	}
	return nil
}

// executableMemfd is a file in memory for the init stage.
func executableMemfd() (int, error) {
	fd, err := embedded.Memfd("berth-init")
	if err != nil {
		return -1, fmt.Errorf("memfd for own binary: %w", err)
	}
	// An inode that the root of a user namespace may execute but not read keeps
	// ptrace away from the stage (would_dump in fs/exec.c).
	if err := unix.Fchmod(fd, 0o111); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("chmod copy of own binary: %w", err)
	}
	return fd, nil
}
