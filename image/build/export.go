package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"berth/image"
	"berth/image/build/tree"

	"github.com/opencontainers/go-digest"
)

// ExportLocal writes the files of the result into a directory, which is made if it is
// missing: of several platforms in a directory each. They belong to whoever builds, and
// give nobody rights of his: a program that was setuid for a user of the image would be
// so for root of the host, and a device of the image is one of the host.
func ExportLocal(ctx context.Context, o Options, r Result, dest string) error {
	for _, img := range r.Images {
		dir := dest
		if len(r.Images) > 1 {
			dir = filepath.Join(dest, img.directory())
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		err := withRoot(&o, img.Layers, func(root *os.File) error {
			to, err := os.Open(dir)
			if err != nil {
				return err
			}
			defer to.Close()
			c := tree.Copy{
				From: &tree.Root{FD: int(root.Fd()), Name: "result"}, To: &tree.Root{FD: int(to.Fd()), Name: dir, Inert: true},
				Sources: []string{"."}, Dest: "/", Chown: &tree.Owner{}, Time: o.Epoch,
			}
			if os.Geteuid() != 0 {
				c.Chown = &tree.Owner{UID: os.Geteuid(), GID: os.Getegid()}
			}
			return c.Do(ctx)
		})
		if err != nil {
			return fmt.Errorf("export to %s: %w", dir, err)
		}
	}
	return nil
}

// directory is where the files of a platform go when there are several: "linux_amd64".
func (b Built) directory() string {
	return strings.ReplaceAll(image.FormatPlatform(b.Platform), "/", "_")
}

// withRoot mounts layers for reading.
func withRoot(o *Options, chain []digest.Digest, use func(root *os.File) error) error {
	tmp, err := os.MkdirTemp(filepath.Join(o.Store.Dir(), "tmp"), "export-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }() // gc removes what is left
	empty, err := makeDir(filepath.Join(tmp, "empty"))
	if err != nil {
		return err
	}
	defer empty.Close()
	b := &builder{o: o, empty: empty, tmp: tmp}
	var layers []*os.File
	defer func() {
		for _, f := range layers {
			_ = f.Close() // O_PATH
		}
	}()
	for _, id := range chain {
		path, ok := o.Store.Layer(id)
		if !ok {
			return fmt.Errorf("layer %s: not in the store", id)
		}
		f, err := openPath(path)
		if err != nil {
			return err
		}
		layers = append(layers, f)
	}
	view, err := b.mountOverlay(layers, nil, nil)
	if err != nil {
		return err
	}
	defer view.close()
	root, err := os.Open(procPath(view.root))
	if err != nil {
		return err
	}
	defer root.Close()
	return use(root)
}
