// Package safepath opens paths of which some part comes from a container.
//
// Every function takes the root as a file descriptor and returns a file
// descriptor: between the check of a path and its use no path string is
// resolved a second time. openat2(2) does the work; on kernels before v5.6, and
// below seccomp filters that do not know it, a walk over single components with
// O_PATH|O_NOFOLLOW gives the same results.
//
// Procfs is reached through a Proc alone, a handle whose file system and root
// inode were verified, so that a write meant for /proc never lands in a file
// that a container put there (CVE-2019-16884, CVE-2025-52881).
//
// A Refusal says that the path was refused as an attack; any other error is the
// bare errno of the kernel, the caller adds operation and object.
//
// Runs: on both sides. Imports nothing that package syscall does not import.
package safepath
