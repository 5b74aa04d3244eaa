package build

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"berth/image/build/tree"
	"berth/internal/cleanup"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// runBundle is the bundle of a RUN step: config.json, and the step's overlay attached
// at rootfs, in this process's mount namespace alone. The directory is in memory: what
// is in it can be secret, and is gone in an instant.
type runBundle struct {
	dir   string
	undo  cleanup.Stack
	warns []string
}

func (rb *runBundle) close(b *builder) {
	rb.undo.Run()
	for _, w := range rb.warns {
		b.warn(w)
	}
}

// onClose registers a step of the way back whose error is only worth a warning.
func (rb *runBundle) onClose(f func() error) {
	rb.undo.Add(func() {
		if err := f(); err != nil {
			rb.warns = append(rb.warns, err.Error())
		}
	})
}

// scriptDir is where here documents with #! are.
const scriptDir = "/dev/pipes"

// prepare makes the bundle. Mount points that are still missing, those of the step
// itself mostly, come with another layer: the overlay of the workspace is replaced by
// one that has it between. So mount points do not end up in what the step has
// written, nor have to be told from it afterwards.
func (s *runStep) prepare(ctx context.Context, w *workspace) (_ *runBundle, err error) {
	rb := &runBundle{dir: bundleOf(w.dir)}
	defer func() {
		if err != nil {
			rb.close(s.r.builder)
		}
	}()
	if err := os.Mkdir(rb.dir, 0o700); err != nil {
		return nil, err
	}
	root := s.r.rootTree(w)
	spec, err := s.spec(root)
	if err != nil {
		return nil, err
	}
	mounts, err := s.stepMounts(ctx, rb, w)
	if err != nil {
		return nil, err
	}
	spec.Mounts = append(spec.Mounts, mounts.list...)
	spec.Process.Env = append(spec.Process.Env, mounts.env...)
	if err := s.addStubs(ctx, w, root, spec.Mounts); err != nil {
		return nil, err
	}
	rootfs := filepath.Join(rb.dir, "rootfs")
	if err := os.Mkdir(rootfs, 0o755); err != nil {
		return nil, err
	}
	detach, err := attach(w.view.fd(), rootfs)
	if err != nil {
		return nil, err
	}
	rb.onClose(detach)
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	config := filepath.Join(rb.dir, "config.json")
	rb.onClose(func() error { return os.Remove(config) })
	return rb, os.WriteFile(config, raw, 0o600)
}

// bundleOf is the bundle of the step that writes to a directory of the build.
func bundleOf(step string) string {
	return filepath.Join(filepath.Dir(step), memoryName, filepath.Base(step))
}

// addStubs mounts the workspace anew with a layer of missing mount points, if any is
// missing.
func (s *runStep) addStubs(ctx context.Context, w *workspace, root *tree.Root, mounts []specs.Mount) error {
	stubs := stubLayer{path: filepath.Join(w.dir, "stubs")}
	defer stubs.close()
	for _, m := range mounts {
		dir := true
		if m.Type == "bind" || hasOption(m.Options, "bind", "rbind") {
			st, err := os.Stat(m.Source)
			if err != nil {
				return fmt.Errorf("mount %s: %w", m.Destination, err)
			}
			dir = st.IsDir()
		}
		// What is mounted below another mount is made there.
		if underMount(m.Destination, mounts) {
			continue
		}
		if err := stubs.add(root, m.Destination, dir); err != nil {
			return fmt.Errorf("mount point %s: %w", m.Destination, err)
		}
	}
	top := stubs.top
	if top == nil {
		return nil
	}
	layers, err := dirs(ctx, s.r.layers)
	if err != nil {
		return err
	}
	if err := likeTop(top, layers); err != nil {
		return err
	}
	w.view.close()
	w.view = nil
	// A volatile work directory can be used once.
	if err := w.work.Close(); err != nil {
		return err
	}
	if w.work, err = makeDir(filepath.Join(w.dir, "work2")); err != nil {
		return err
	}
	layers = append(append([]*os.File{s.r.points}, layers...), top)
	view, err := s.r.mountOverlay(layers, w.upper, w.work)
	if err != nil {
		return err
	}
	w.view = view
	return nil
}

func underMount(dest string, mounts []specs.Mount) bool {
	for dir := path.Dir(path.Clean(dest)); dir != "/" && dir != "."; dir = path.Dir(dir) {
		for _, m := range mounts {
			if path.Clean(m.Destination) == dir {
				return true
			}
		}
	}
	return false
}

func hasOption(options []string, names ...string) bool {
	for _, o := range options {
		for _, n := range names {
			if o == n {
				return true
			}
		}
	}
	return false
}

// stubLayer is a layer of missing mount points. It is on the file system of the other
// layers: else overlayfs would give files other device numbers than directories.
type stubLayer struct {
	path string
	top  *os.File // nil: none is missing so far
}

func (l *stubLayer) close() {
	if l.top != nil {
		_ = l.top.Close() // a directory
	}
}

// add makes a mount point if it is missing: the directories above it that exist are
// made again with the metadata of the real ones, which they hide.
func (l *stubLayer) add(root *tree.Root, dest string, dir bool) error {
	at, err := root.Resolve(dest, true)
	if err != nil || at.Exists {
		return err
	}
	if l.top == nil {
		if l.top, err = makeDir(l.path); err != nil {
			return err
		}
	}
	stubs := &tree.Root{FD: int(l.top.Fd())}
	parent := ""
	for _, part := range splitPath(at.Path) {
		last := path.Join(parent, part) == at.Path
		here, err := root.Resolve(path.Join(parent, part), false)
		if err != nil {
			return err
		}
		if err := stubs.Mirror(root, path.Join(parent, part), here.Exists, last && !dir); err != nil {
			return err
		}
		parent = path.Join(parent, part)
	}
	return nil
}

func splitPath(p string) []string {
	var list []string
	for p != "" && p != "." {
		dir, base := path.Split(p)
		list = append([]string{base}, list...)
		p = path.Clean(dir)
		if dir == "" {
			break
		}
	}
	return list
}
