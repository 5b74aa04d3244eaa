package layer

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"

	"berth/internal/linux"
	"golang.org/x/sys/unix"
)

// DropNeedless removes the whiteouts in those directories of a layer
// (ApplyResult.Whiteouts) that hide nothing because none of the layers below, topmost
// first, is merged into the directory. overlayfs leaves whiteouts out when it merges,
// and passes a directory that only one layer has on as it is: there they would be
// listed as files that cannot be found.
func DropNeedless(ctx context.Context, dir *os.File, whiteouts []string, lower []*os.File) error {
	return forEach(ctx, "remove needless whiteouts in", whiteouts, func(path string) error {
		return dropNeedless(int(dir.Fd()), path, lower)
	})
}

func dropNeedless(root int, path string, lower []*os.File) error {
	at, opaque, err := ownDir(root, path)
	if errors.Is(err, syscall.ENOENT) || notDir(err) {
		return nil // another entry took its place, or a link led there: that is not judged
	}
	if err != nil {
		return err
	}
	defer unix.Close(at) // opened for reading
	if !opaque {
		merged, err := hasDir(lower, path)
		if err != nil || merged {
			return err
		}
	}
	return removeWhiteouts(at)
}

// ownDir opens a directory of a layer without following links. opaque: it, or one
// above it, hides those of the layers below.
func ownDir(root int, path string) (fd int, opaque bool, err error) {
	at, err := linux.Openat(root, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	for path != "." && err == nil {
		name, rest, deeper := strings.Cut(path, "/")
		var next int
		next, err = openSub(at, name)
		_ = unix.Close(at) // opened for reading
		if err != nil {
			break
		}
		at = next
		opaque = opaque || isOpaque(at)
		if path = rest; !deeper {
			path = "."
		}
	}
	return at, opaque, err
}

// hasDir tells whether the layers show a directory of that name together.
func hasDir(layers []*os.File, path string) (bool, error) {
	fd, err := lookup(layers, path)
	if errors.Is(err, syscall.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(fd) // an O_PATH fd
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, err
}

// removeWhiteouts leaves the times of the directory as they are: the archive gave
// them.
func removeWhiteouts(dir int) error {
	var before unix.Stat_t
	if err := unix.Fstat(dir, &before); err != nil {
		return err
	}
	names, err := listDir(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		var st unix.Stat_t
		if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if !isWhiteout(&st) {
			continue
		}
		if err := unix.Unlinkat(dir, name, 0); err != nil {
			return err
		}
	}
	t := statTimes(&before)
	return linux.Futimens(dir, t.access, t.modify)
}
