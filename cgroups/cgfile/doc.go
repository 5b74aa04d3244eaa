// Package cgfile opens, reads, writes, makes and removes cgroup directories and
// files below a pinned directory fd, and finds out how the host mounts them.
//
// A Dir is opened by path once, with its file system checked; everything below it
// is reached through its fd, one component at a time or with openat2(2), and never
// through a symlink: a container that may write to its own cgroup must not be able
// to lead the runtime elsewhere.
//
// Runs: parent.
package cgfile
