// Package image holds what all of the image side means by an image: references,
// platforms, descriptors, manifests and configurations, each checked when it comes
// from outside.
//
// It does no I/O. Where images come from is a Source (a registry, a layout, an
// archive); where they are kept is image/store.
//
// Sources: OCI image specification 1.1 (manifest.md, image-index.md, config.md,
// descriptor.md), Docker image manifest version 2 schema 2.
package image
