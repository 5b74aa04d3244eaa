package archive

import (
	"fmt"

	"berth/image"

	"github.com/opencontainers/go-digest"
)

// readDir reads skopeo's format "dir": manifest.json is the manifest itself, blobs
// are files named after the digits of their digests. It knows no names.
func (a *Archive) readDir(raw []byte) error {
	m, err := image.ParseManifest("", raw)
	if err != nil {
		return fmt.Errorf("%s: %w", dockerManifest, err)
	}
	if m.Index != nil {
		return fmt.Errorf("%s: it is an index, of which the format has one image only", dockerManifest)
	}
	d := image.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	a.made[d.Digest] = raw
	for _, blob := range append(m.Image.Layers[:len(m.Image.Layers):len(m.Image.Layers)], m.Image.Config) {
		a.where[blob.Digest] = blob.Digest.Encoded()
	}
	a.entries = append(a.entries, Entry{Descriptor: d})
	return nil
}
