package build

import (
	"fmt"
	"os"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// memoryName is the directory of a build that is a tmpfs.
const memoryName = "memory"

// makeMemory makes a directory that is a tmpfs in this process's mount namespace, of
// so many bytes as quota says in the words of tmpfs(5). detach takes it away.
func makeMemory(dir, quota string) (_ string, detach func() error, err error) {
	fs, err := linux.Fsopen("tmpfs")
	if err != nil {
		return "", nil, fmt.Errorf("tmpfs: %w", err)
	}
	defer func() { _ = unix.Close(fs) }() // a context, not a file
	for _, kv := range [...][2]string{{"mode", "0711"}, {"size", quota}} {
		if err := linux.FsconfigString(fs, kv[0], kv[1]); err != nil {
			return "", nil, fmt.Errorf("tmpfs: option %s: %w", kv[0], err)
		}
	}
	if err := linux.FsconfigCreate(fs); err != nil {
		return "", nil, fmt.Errorf("tmpfs: %w", err)
	}
	mount, err := linux.Fsmount(fs, unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSUID)
	if err != nil {
		return "", nil, fmt.Errorf("tmpfs: %w", err)
	}
	defer func() { _ = unix.Close(mount) }() // attached or dropped
	if err := os.Mkdir(dir, 0o711); err != nil {
		return "", nil, err
	}
	detach, err = attach(mount, dir)
	return dir, detach, err
}
