//go:build !image

package embedded

// image is missing: go build and go vet need no program built first.
var image []byte
