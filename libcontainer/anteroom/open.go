package anteroom

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// Many is from how many mounts on a copy of them costs more than the way round.
const Many = 500

const (
	dirName = "@mounts"
	// fileName ends in the version of what is in the namespace (rootfs.MakeAnteroom):
	// a newer berth makes its own.
	fileName = "ns.1"
	// unableName is a file that says that it could not be pinned.
	unableName = "unable"
)

// Wanted tells whether the caller sees so many mounts that an anteroom is worth its
// while. A kernel that cannot say (before v6.8) has none.
func Wanted() bool {
	ids := make([]uint64, Many)
	n, err := linux.ListMounts(ids)
	return err == nil && n == Many
}

// Open returns a close-on-exec fd of the anteroom below root, and makes it if need be,
// from the second container on: one alone would pay for the copy of the host's mounts
// all the same. root exists, and holds the state of the container that it is for: as
// long as that is there, nobody removes the anteroom. preserve is the number of fds from 3 on that
// are not berth's own.
func Open(root string, preserve int) (int, error) {
	if err := able(); err != nil {
		return -1, err
	}
	dir, err := place(root)
	if err != nil {
		return -1, err
	}
	if fd, err := openPinned(dir); err == nil {
		return fd, nil
	}
	if n, err := count(root, 2); n < 2 {
		return -1, errors.Join(errors.New("the container is alone"), err)
	}
	unlock, err := lock(root)
	if err != nil {
		return -1, err
	}
	defer unlock()
	// Another may have made it by now.
	if fd, err := openPinned(dir); err == nil {
		return fd, nil
	}
	fd, err := pin(dir, preserve)
	if err != nil {
		return -1, fmt.Errorf("make anteroom %s: %w", dir, err)
	}
	return fd, nil
}

// able refuses processes to which the host's mounts come with locks of another user
// namespace, those that may not enter a mount namespace (setns(2)), and a berth that
// needs a dynamic loader, which an anteroom does not have.
func able() error {
	const initialUserNS = 0xEFFFFFFD // PROC_USER_INIT_INO
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &st); err != nil {
		return fmt.Errorf("user namespace: %w", err)
	}
	if os.Geteuid() != 0 || st.Ino != initialUserNS {
		return errors.New("berth is not root of the host")
	}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &caps[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	const needed = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_SYS_CHROOT
	if caps[0].Effective&needed != needed {
		return errors.New("berth lacks CAP_SYS_ADMIN or CAP_SYS_CHROOT")
	}
	const atBase = 7 // where the loader is
	vector, err := unix.Auxv()
	if err != nil {
		return err
	}
	for _, entry := range vector {
		if entry[0] == atBase && entry[1] != 0 {
			return errors.New("berth is linked dynamically")
		}
	}
	return nil
}

// place is the directory of the caller's anteroom.
func place(root string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/mnt", &st); err != nil {
		return "", fmt.Errorf("mount namespace: %w", err)
	}
	return root + "/" + dirName + "/" + strconv.FormatUint(st.Ino, 10), nil
}

// openPinned opens the namespace pinned in dir. What is there without being one, the
// file that waits for the mount or a namespace of another kind, is an error.
func openPinned(dir string) (int, error) {
	fd, err := unix.Open(dir+"/"+fileName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err == nil && kind != unix.CLONE_NEWNS {
		err = unix.EINVAL
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// lock takes the lock of the root directory, which the kernel releases when the holder
// dies.
func lock(root string) (unlock func(), err error) {
	fd, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", root, err)
	}
	for {
		err = unix.Flock(fd, unix.LOCK_EX)
		if err == nil {
			return func() { unix.Close(fd) }, nil
		}
		if err != unix.EINTR {
			unix.Close(fd)
			return nil, fmt.Errorf("lock %s: %w", root, err)
		}
	}
}
