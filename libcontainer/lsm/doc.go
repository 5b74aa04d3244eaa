// Package lsm tells the kernel's security modules under which AppArmor profile or
// SELinux label the next execve(2) of the calling thread is to run.
//
// The labels go through a verified procfs handle only: with a path, a container
// that controls /proc had them written into a file of its own, and ran unconfined
// (CVE-2019-16884, CVE-2025-52881).
//
// Runs: stage 2, one locked thread, after pivot_root. Writing the label of a hook
// is not wanted: call it behind the last one.
package lsm
