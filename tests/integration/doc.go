// Package integration tests a runtime as its callers see it: the binary, its
// verbs, and what the process inside a container finds. See package harness for
// the environment it wants; it compiles into one static binary:
//
//	CGO_ENABLED=0 go test -c -o integration.test ./tests/integration
package integration
