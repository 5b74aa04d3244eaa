// Package fs1 is the cgroup driver for v1 hierarchies, on pure v1 and hybrid
// hosts, through the file system. The controllers table says what each one takes
// from the resources; the manager makes one directory per mounted hierarchy,
// whether limits were asked of it or not: engines look for a container in all.
//
// A Manager is used by one goroutine.
//
// Runs: parent.
package fs1
