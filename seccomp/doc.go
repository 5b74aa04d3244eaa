// Package seccomp turns a seccomp profile of config.json into BPF bytes and keeps
// them in a cache, so that a container whose profile was seen before calls no
// libseccomp. It never loads a filter: the init stage does, with seccomp(2).
//
// Cached is what create calls; it falls back to Compile:
//
//	raw JSON ──▶ key ──▶ cache entry ───────────────────────────────▶ Program
//	              │ miss                                                 ▲
//	              └──▶ policy (checked, in kernel numbers)               │
//	                     └──▶ libseccomp ──▶ BPF ──▶ -ENOSYS prologue ───┘
//
// A binary built without cgo has no libseccomp: there Compile and Cached refuse
// every profile, whatever the cache holds.
//
// Runs: parent.
package seccomp
