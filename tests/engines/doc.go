// Package engines lets real callers drive the runtime under test: containerd's ctr,
// dockerd and podman, each with state, sockets and images of the test's own.
package engines
