package build

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"berth/image/overlay"
	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// view is a mount of layers that is attached nowhere. Closing root unmounts it.
type view struct {
	root *os.File
}

func (v *view) fd() int { return int(v.root.Fd()) }

func (v *view) close() {
	_ = v.root.Close() // nothing is written through it
}

// mountOverlay stacks layers, the lowest first. With an upper and a work directory it
// can be written to: what is written ends up in upper alone, and is not synced, which
// is done for all layers at once in the end (volatile, since v5.10).
//
// metacopy and redirect_dir are off, because a layer has to hold the whole of what it
// changes; so rename(2) of a directory of a lower layer is EXDEV, as with docker.
func (b *builder) mountOverlay(layers []*os.File, upper, work *os.File) (*view, error) {
	o := overlay.Options{Layers: layers, Upper: upper, Work: work, Settings: []string{"index=off"}, Point: b.empty.Name()}
	// One directory is not enough without an upper one.
	if len(layers) == 0 || (upper == nil && len(layers) == 1) {
		o.Layers = append([]*os.File{b.empty}, layers...)
	}
	if upper != nil {
		o.Settings = append(o.Settings, "volatile")
	}
	if b.o.UserNS {
		o.Settings = append(o.Settings, "userxattr")
	} else {
		o.Settings = append(o.Settings, "metacopy=off", "redirect_dir=off")
	}
	root, err := overlay.Mount(o)
	if err != nil {
		return nil, err
	}
	return &view{root}, nil
}

func procPath(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

// attach makes a detached mount visible at a directory or file of this process's
// mount namespace. The answer takes it away again.
func attach(mount int, target string) (detach func() error, err error) {
	at, err := unix.Open(target, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: target, Err: err}
	}
	defer func() { _ = unix.Close(at) }() // O_PATH
	if err := linux.MoveMount(mount, at); err != nil {
		return nil, fmt.Errorf("attach %s: %w", target, err)
	}
	return func() error {
		if err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("unmount %s: %w", target, err)
		}
		return nil
	}, nil
}

// workspace is where one step writes.
type workspace struct {
	dir         string // holds upper and work
	upper, work *os.File
	view        *view
}

// workspaceOf makes directories for a step and mounts them on top of layers; alone:
// on top of nothing, with a root that looks like theirs.
// With mountPoints what every container mounts on is there.
func (b *builder) workspaceOf(layers []*os.File, alone, mountPoints bool) (*workspace, error) {
	dir, err := os.MkdirTemp(b.tmp, "step-")
	if err != nil {
		return nil, err
	}
	w := &workspace{dir: dir}
	if w.upper, err = makeDir(filepath.Join(dir, "upper")); err != nil {
		return nil, err
	}
	if err = likeTop(w.upper, layers); err != nil {
		w.close()
		return nil, err
	}
	if alone {
		layers = nil
	}
	if mountPoints {
		layers = append([]*os.File{b.points}, layers...)
	}
	if w.work, err = makeDir(filepath.Join(dir, "work")); err != nil {
		w.close()
		return nil, err
	}
	if w.view, err = b.mountOverlay(layers, w.upper, w.work); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// likeTop gives the upper directory the owner and mode of the root below it: it is the
// root that a step sees, and layer.Diff notes a difference.
func likeTop(upper *os.File, layers []*os.File) error {
	if len(layers) == 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(layers[len(layers)-1].Fd()), &st); err != nil {
		return fmt.Errorf("stat the layer below: %w", err)
	}
	if err := upper.Chown(int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	return unix.Fchmod(int(upper.Fd()), st.Mode&0o7777)
}

// close unmounts; the upper directory stays as it is.
func (w *workspace) close() {
	if w.view != nil {
		w.view.close()
	}
	if w.work != nil {
		_ = w.work.Close() // a directory
	}
	if w.upper != nil {
		_ = w.upper.Close() // a directory
	}
}

// drop forgets all that the step has written.
func (w *workspace) drop() {
	w.close()
	_ = os.RemoveAll(w.dir) // the build's directory is removed in the end, too
}

func makeDir(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil, err
	}
	// Above the umask: it may become the root of a file system.
	if err := os.Chmod(path, 0o755); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// openPath opens a directory as a handle that stays valid when it is moved.
func openPath(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
