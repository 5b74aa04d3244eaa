package image

import (
	// What CheckDigest lets pass can be computed: a hash that is not linked panics.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Descriptor names content by media type, digest and size (descriptor.md).
type Descriptor = ocispec.Descriptor

// Media types of Docker's schema 2, which registries still serve.
const (
	DockerManifest     = "application/vnd.docker.distribution.manifest.v2+json"
	DockerIndex        = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerConfig       = "application/vnd.docker.container.image.v1+json"
	DockerLayerGzip    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	DockerLayer        = "application/vnd.docker.image.rootfs.diff.tar"
	DockerLayerForeign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
)

// CheckDigest refuses a digest that is not one of sha256 or sha512 in lower-case
// hexadecimal. What passes holds no slash and no dot: it is safe as a file name.
func CheckDigest(d digest.Digest) error {
	alg, hex, ok := strings.Cut(string(d), ":")
	if !ok {
		return fmt.Errorf("digest %q: it is written ALGORITHM:HEX", short(string(d)))
	}
	var size int
	switch alg {
	case "sha256":
		size = 64
	case "sha512":
		size = 128
	default:
		return fmt.Errorf("digest %q: algorithm %q is not supported, only sha256 and sha512", short(string(d)), short(alg))
	}
	if len(hex) != size || strings.Trim(hex, "0123456789abcdef") != "" {
		return fmt.Errorf("digest %q: %s has %d lower-case hexadecimal digits", short(string(d)), alg, size)
	}
	return nil
}

// CheckDescriptor refuses a descriptor that is not well-formed. Every descriptor
// from a registry, layout or archive goes through it before it is used.
func CheckDescriptor(d Descriptor) error {
	if err := CheckDigest(d.Digest); err != nil {
		return err
	}
	if d.Size < 0 {
		return fmt.Errorf("descriptor %s: size %d is negative", d.Digest, d.Size)
	}
	if d.Size > MaxBlob {
		return fmt.Errorf("descriptor %s: size %d is above the limit of %d bytes", d.Digest, d.Size, int64(MaxBlob))
	}
	return nil
}

// IsIndex tells the media types of an index: a list of manifests.
func IsIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == DockerIndex
}

// IsManifest tells the media types of the manifest of one image.
func IsManifest(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageManifest || mediaType == DockerManifest
}

// IsForeign tells layers that are not kept where the manifest is: their bytes would
// come from a URL of the manifest's choice.
func IsForeign(mediaType string) bool {
	return mediaType == DockerLayerForeign || strings.Contains(mediaType, ".layer.nondistributable.")
}

// short cuts hostile text for an error message.
func short(s string) string {
	const most = 100
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
