package build

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"berth/image/layer"
)

// ExportTar writes the files of the result as a tar archive: of several platforms in
// a directory each.
func ExportTar(ctx context.Context, o Options, r Result, w io.Writer) error {
	if len(r.Images) == 1 {
		return exportTree(ctx, &o, r.Images[0], w)
	}
	out := tar.NewWriter(w)
	for _, img := range r.Images {
		if err := exportBelow(ctx, &o, img, out); err != nil {
			return fmt.Errorf("%s: %w", img.directory(), err)
		}
	}
	return out.Close()
}

func exportTree(ctx context.Context, o *Options, img Built, w io.Writer) error {
	return withRoot(o, img.Layers, func(root *os.File) error {
		_, err := layer.Diff(ctx, root, w, layer.DiffOptions{SourceDateEpoch: o.Epoch})
		return err
	})
}

// exportBelow writes the files of one platform below its directory.
func exportBelow(ctx context.Context, o *Options, img Built, out *tar.Writer) error {
	dir := img.directory()
	when := time.Now()
	if o.Epoch != nil {
		when = *o.Epoch
	}
	if err := out.WriteHeader(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: when.Truncate(time.Second)}); err != nil {
		return err
	}
	in, tree := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = tree.CloseWithError(exportTree(ctx, o, img, tree)) // it is the reader's error
	}()
	err := moveBelow(dir, tar.NewReader(in), out)
	if err == nil {
		_, err = io.Copy(io.Discard, in) // the padding of the archive
	}
	_ = in.CloseWithError(err) // ends the writer
	<-written
	return err
}

func moveBelow(dir string, in *tar.Reader, out *tar.Writer) error {
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		slash := ""
		if h.Typeflag == tar.TypeDir {
			slash = "/"
		}
		h.Name = path.Join(dir, h.Name) + slash
		if h.Typeflag == tar.TypeLink {
			h.Linkname = path.Join(dir, h.Linkname)
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}
