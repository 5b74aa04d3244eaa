// Package intelrdt puts a container into a group of the resctrl file system: what
// share of a cache and of the memory bandwidth it gets, and whether that is
// measured (linux.intelRdt of the OCI runtime spec, the kernel's resctrl.rst).
//
// It is no driver of package cgroups: resctrl has its own tree with one level, no
// controllers and no limits to update, and a group may belong to many containers.
//
// Runs: parent.
package intelrdt
