package anteroom

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"berth/libcontainer/configs"
	"berth/libcontainer/launch"
	"berth/libcontainer/wire"

	"golang.org/x/sys/unix"
)

// pin makes an anteroom and pins it in dir. The caller holds the lock. What went wrong
// once is not tried again, which would cost every create more than the copy does.
func pin(dir string, preserve int) (int, error) {
	if unix.Access(dir+"/"+unableName, unix.F_OK) == nil {
		return -1, errors.New("it was tried before, in vain")
	}
	tree, err := furnish(dir)
	if err != nil {
		return -1, err
	}
	defer unix.Close(tree)
	fd, err := pinNamespace(tree, preserve)
	if err == unix.ELOOP {
		fd, err = pinFromOtherCPU(tree, preserve)
	}
	if err != nil {
		return -1, errors.Join(err, os.WriteFile(dir+"/"+unableName, nil, 0o400))
	}
	return fd, nil
}

// pinFromOtherCPU is pinNamespace on other CPUs. The kernel lets a mount namespace hold
// files of younger ones only (mnt_ns_loop, ELOOP), and tells the age by an id that Linux
// 6.18 counts for each CPU apart: one that was made on another CPU than the caller's may
// look older. The initial namespace, with the lowest id of all, has no such trouble.
func pinFromOtherCPU(tree, preserve int) (fd int, err error) {
	// The thread is given back as it was.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return -1, fmt.Errorf("get CPU affinity: %w", err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &allowed) }() // what was allowed is allowed
	fd, err = -1, unix.ELOOP
	// From the last on: those that have been busy for longest have the lowest numbers.
	const enough = 8
	for cpu, tries := 64*len(allowed)-1, 0; err == unix.ELOOP && cpu >= 0 && tries < enough; cpu-- {
		if !allowed.IsSet(cpu) {
			continue
		}
		tries++
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return -1, fmt.Errorf("set CPU affinity: %w", err)
		}
		fd, err = pinNamespace(tree, preserve)
	}
	return fd, err
}

// pinNamespace makes an anteroom and binds its file in tree; ELOOP when the kernel takes
// it for older than the caller's.
func pinNamespace(tree, preserve int) (int, error) {
	fd, err := makeNamespace(preserve)
	if err != nil {
		return -1, err
	}
	if err := bindFile(fd, tree); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// furnish makes dir a mount of its own that nobody can bind, and returns its fd.
func furnish(dir string) (int, error) {
	// The rest of one that was not finished, or whose mount namespace had the same
	// inode.
	if err := detachAll(dir); err != nil {
		return -1, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return -1, err
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return -1, fmt.Errorf("clone directory: %w", err)
	}
	err = unix.MoveMount(tree, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err == nil {
		// A mount below a shared one becomes shared when it is attached: so not before.
		attr := unix.MountAttr{Propagation: unix.MS_UNBINDABLE}
		err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr)
	}
	if err != nil {
		unix.Close(tree)
		return -1, fmt.Errorf("bind directory on itself: %w", err)
	}
	return tree, nil
}

// makeNamespace returns an fd of a new anteroom. An init stage makes it, and ends.
func makeNamespace(preserve int) (int, error) {
	child, err := launch.Start(launch.Options{
		Plan:       &wire.Plan{Anteroom: true, PreserveFDs: preserve},
		Namespaces: []configs.Namespace{{Type: unix.CLONE_NEWNS}},
		Listener:   -1,
		Console:    -1,
	})
	if err != nil {
		return -1, err
	}
	defer child.Kill()
	if err := child.UntilReady(nil, func(string) {}); err != nil {
		return -1, err
	}
	return unix.Open(fmt.Sprintf("/proc/%d/ns/mnt", child.PID), unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

// bindFile binds the namespace file fd on a file in the mount tree.
func bindFile(fd, tree int) error {
	file, err := unix.Openat(tree, fileName, unix.O_CREAT|unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o400)
	if err != nil {
		return err
	}
	defer unix.Close(file)
	mount, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(mount)
	return unix.MoveMount(mount, "", file, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}
