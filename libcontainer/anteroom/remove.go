package anteroom

import (
	"errors"
	"fmt"
	"io"
	"os"

	"berth/libcontainer/state"

	"golang.org/x/sys/unix"
)

// Remove takes the anteroom away, unless there is a container below root. Those that
// were copied from it do not need it. Where there is none it costs one system call.
func Remove(root string) error {
	all := root + "/" + dirName
	var st unix.Stat_t
	if unix.Lstat(all, &st) != nil {
		return nil
	}
	unlock, err := lock(root)
	if err != nil {
		return err
	}
	defer unlock()
	if n, err := count(root, 1); n > 0 || err != nil {
		return err
	}
	// Those of other mount namespaces, too: to remove a directory detaches what is
	// mounted there elsewhere.
	names, err := os.ReadDir(all)
	if err != nil {
		return ignoreAbsent(err)
	}
	for _, name := range names {
		if err := removeOne(all + "/" + name.Name()); err != nil {
			return fmt.Errorf("remove anteroom %s/%s: %w", all, name.Name(), err)
		}
	}
	return ignoreAbsent(os.Remove(all))
}

// count returns how many containers there are below root, no more than enough. One that
// has no state file yet will look for the anteroom later, and make it again.
func count(root string, enough int) (n int, err error) {
	dir, err := os.Open(root)
	if err != nil {
		return 0, ignoreAbsent(err)
	}
	defer dir.Close()
	for n < enough {
		const some = 16
		names, err := dir.Readdirnames(some)
		for _, name := range names {
			var st unix.Stat_t
			if unix.Lstat(root+"/"+name+"/"+state.StateFile, &st) == nil {
				n++
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return n, err
		}
	}
	return min(n, enough), nil
}

func removeOne(dir string) error {
	for _, path := range []string{dir, dir + "/" + fileName} {
		if err := detachAll(path); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// detachAll unmounts all that is mounted on dir, with what is below.
func detachAll(dir string) error {
	for {
		err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		switch err {
		case nil:
		case unix.EINVAL, unix.ENOENT: // no mount point, no directory
			return nil
		default:
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
}

func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
