//go:build !image

package imageside

// program is missing: go build and go vet need no program built first.
var program []byte
