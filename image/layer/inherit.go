package layer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// Inherit gives the implied directories of a layer (ApplyResult.Implied) the
// metadata that the layers below, topmost first, show for them: the upper one of two
// merged directories decides, and an archive that does not name a directory does not
// mean to change it. A directory that those below do not have stays as it is.
func Inherit(ctx context.Context, dir *os.File, implied []string, lower []*os.File) error {
	return forEach(ctx, "inherit the metadata of", implied, func(path string) error {
		return inherit(int(dir.Fd()), path, lower)
	})
}

// forEach does something to every path; what says so in an error.
func forEach(ctx context.Context, what string, paths []string, do func(path string) error) error {
	for _, path := range paths {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := do(path); err != nil {
			return fmt.Errorf("%s %s: %w", what, quote(path), err)
		}
	}
	return nil
}

func inherit(root int, path string, lower []*os.File) error {
	below, err := lookup(lower, path)
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(below) // an O_PATH fd
	var st unix.Stat_t
	if err := unix.Fstat(below, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return err
	}
	from, err := safepath.Reopen(below, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	list, err := readXattrs(from, false)
	_ = unix.Close(from) // opened for reading
	if err != nil {
		return err
	}
	to, err := openDir(root, path)
	if err != nil {
		// Replaced by another entry of the layer.
		return nil //nolint:nilerr // see above
	}
	defer unix.Close(to) // opened for reading
	var now unix.Stat_t
	if err := unix.Fstat(to, &now); err != nil {
		return err
	}
	if now.Uid != st.Uid || now.Gid != st.Gid {
		if err := unix.Fchown(to, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	if err := unix.Fchmod(to, st.Mode&0o7777); err != nil {
		return err
	}
	if err := setXattrs(to, list); err != nil {
		return err
	}
	t := statTimes(&st)
	return linux.Futimens(to, t.access, t.modify)
}

// readXattrs reads the attributes of an open file that a layer may carry.
func readXattrs(fd int, userNS bool) ([]xattr, error) {
	names, err := linux.Flistxattr(fd)
	if errors.Is(err, syscall.ENOTSUP) {
		return nil, nil
	}
	if err != nil || len(names) == 0 {
		return nil, err
	}
	var list []xattr
	for _, name := range splitNames(names) {
		if !allowedXattr(name, userNS) {
			continue
		}
		value, err := linux.Fgetxattr(fd, name)
		if errors.Is(err, syscall.ENODATA) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read extended attribute %s: %w", quote(name), err)
		}
		list = append(list, xattr{name, string(value)})
	}
	return list, nil
}

// splitNames parts what listxattr(2) returns.
func splitNames(list []byte) []string {
	return strings.FieldsFunc(string(list), func(r rune) bool { return r == 0 })
}
