// Package seccomp turns a seccomp profile of config.json into BPF bytes and keeps
// them in a cache, so that a container whose profile was seen before calls no
// libseccomp. It never loads a filter: the init stage does, with seccomp(2).
//
// Cached is what create calls; it falls back to Compile:
//
//	raw JSON ──▶ key ──▶ cache entry ────────────────────────────────────▶ Program
//	              │ miss                                                      ▲
//	              └──▶ berth-seccomp: policy (checked, in kernel numbers)     │
//	                     └──▶ libseccomp ──▶ BPF ──▶ -ENOSYS prologue ────────┘
//
// berth itself is built without cgo. The compiler is a program that is embedded in it
// (seccomp/program, this same package built with cgo) and gets the profile on its
// standard input; a berth without that program refuses every profile, whatever the
// cache holds. With cgo, as in tests, Compile calls libseccomp itself.
//
// Runs: parent.
package seccomp
