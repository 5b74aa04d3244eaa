// Package nsenter is stage 1: from one fork to a process in new and joined
// namespaces that executes berth's own binary as the init stage. There is no C in
// it and no constructor that runs before main: the Go parent, with all its
// threads, calls clone3(2) raw, and the child, a single thread in the parent's memory or
// in a copy of it, runs nothing but system calls from a list that the parent prepared
// (program.go) until execveat(2).
//
// One clone is enough where the new namespaces are owned by the caller's user
// namespace and nothing has to be entered before the pid namespace:
//
//	parent ── clone3(new namespaces, into the v2 cgroup) ──▶ child
//	  uid_map, gid_map, one byte ─────────────────────────▶ setresgid, setresuid
//	                                                        setns(joined) … execveat
//
// Joining a pid or user namespace, a new time namespace, and a new user namespace
// beside joined ones take a second clone, because setns(2) and unshare(2) move only
// later children into a pid or time namespace:
//
//	parent ── clone ──▶ stage 1: setns(owned by the host)
//	                    unshare(user), wait for maps │ setns(user)
//	                    setns(owned by the user ns), unshare(time), wait for offsets
//	                    clone3(new namespaces | CLONE_PARENT) ──▶ child: execveat
//	  ◀── pid of child   exit
//
// The child is the parent's direct child in both cases: its exit status, and after
// the parent's exit its parentage, are as if it had been forked directly.
//
// Runs: stage 1. Imports syscall and unsafe alone.
package nsenter
