// Package fs2 is the cgroup driver for a pure v2 host, through the file system.
// Controllers are enabled from the root of the mount down to the container's
// parent; devices are an eBPF program, freezing and killing are one write each.
//
// A Manager is used by one goroutine.
//
// Runs: parent.
package fs2
