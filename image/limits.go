package image

// Limits on what comes from outside. They are far above what real images have and
// far below what harms the host.
const (
	// MaxManifest bounds manifests, indexes and configurations, in bytes
	// (CVE-2023-25153: they are read into memory).
	MaxManifest = 4 << 20
	// MaxBlob bounds one blob, in bytes.
	MaxBlob = 1 << 40
	// MaxLayers is how many layers an image may have: overlayfs stacks at most 500.
	MaxLayers = 500
	// MaxIndex is how many manifests an index may list.
	MaxIndex = 10_000
)
