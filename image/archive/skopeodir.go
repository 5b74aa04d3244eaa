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
	a.where[m.Image.Config.Digest] = m.Image.Config.Digest.Encoded()
	for _, l := range m.Image.Layers {
		a.where[l.Digest] = l.Digest.Encoded()
	}
	return a.add(Entry{Descriptor: d})
}
