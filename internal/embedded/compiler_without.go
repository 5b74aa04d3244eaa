//go:build !seccomp

package embedded

// compiler is missing: go build and go vet need no program built first.
var compiler []byte
