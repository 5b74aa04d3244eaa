package pull

import (
	"context"
	"fmt"
	"io"
	"os"

	"berth/image"
	"berth/image/layer"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Flat unpacks the layers of an image that is in the store on top of each other into
// dir, which is empty: what a bundle has for its root file system. It returns entries
// that a user namespace cannot make. After an error dir holds a part of the image.
func Flat(ctx context.Context, o Options, m *ocispec.Manifest, config *image.Config, dir *os.File) (skipped []string, err error) {
	diffIDs := config.RootFS.DiffIDs
	if len(diffIDs) != len(m.Layers) {
		return nil, fmt.Errorf("the manifest has %d layers, the configuration %d", len(m.Layers), len(diffIDs))
	}
	o.Apply.Format = layer.Flat
	for i, d := range m.Layers {
		list, err := flatLayer(ctx, o, d, diffIDs[i], dir)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", d.Digest, err)
		}
		skipped = append(skipped, list...)
	}
	return skipped, nil
}

func flatLayer(ctx context.Context, o Options, d image.Descriptor, want digest.Digest, dir *os.File) ([]string, error) {
	blob, err := o.Store.Blob(d)
	if err != nil {
		return nil, err
	}
	defer blob.Close() // opened for reading
	task := o.Progress.Task(d.Digest.String(), "layer "+d.Digest.Encoded()[:12], d.Size)
	task.Phase("unpacking")
	var result layer.ApplyResult
	diffID, err := unpackStream(ctx, d.MediaType, &counted{blob, task.Add}, reuse, func(archive io.Reader) error {
		var err error
		result, err = layer.Apply(ctx, dir, archive, o.Apply)
		return err
	})
	if err == nil && diffID != want {
		err = fmt.Errorf("its archive has the digest %s, the configuration of the image says %s", diffID, want)
	}
	if err != nil {
		task.Fail(err)
		return nil, err
	}
	task.Done("unpacked")
	return result.Skipped, nil
}

// counted tells how much was read.
type counted struct {
	io.Reader
	add func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.add(int64(n))
	return n, err
}
