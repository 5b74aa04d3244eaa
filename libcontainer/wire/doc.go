// Package wire is the only meeting point of the two sides of berth: the parent,
// which decides, and the init stage inside the new namespaces, which acts.
//
// It defines the Plan (everything the init stage does, as plain numbers, flags
// and strings that need no further interpretation), the messages both sides
// exchange, and their encoding. One connected stream socket carries them:
//
//	parent (libcontainer/launch)                 init stage (libcontainer/boot)
//	  Plan ─────────────────────────────────────▶ decode, join the cgroup
//	                                              mounts, devices, console
//	  run prestart, createRuntime hooks ◀──────── HooksDue   (only if there are any)
//	  Proceed ──────────────────────────────────▶ createContainer hooks, pivot_root,
//	                                              masks, sysctl, user, capabilities
//	  save state, write the pid file    ◀──────── Ready
//	  Proceed ──────────────────────────────────▶ wait for Start, on this socket (run,
//	                                              exec) or on the listener (create)
//	  Start ────────────────────────────────────▶ startContainer hooks, seccomp
//	  send it to listenerPath           ◀──────── Listener   (only with SCMP_ACT_NOTIFY)
//	  Proceed ──────────────────────────────────▶ execve
//	  end of file: the workload runs    ◀──────── (the socket is close-on-exec)
//
// At any point the init stage may send Warning, and instead of any message
// Failed, which ends the exchange. End of file seen by the init stage means that
// the parent died: it exits.
//
// Runs: on both sides. Imports nothing that syscall does not import.
package wire

// InitName is argv[0] of the init stage; argv[1] is the number of the socket's fd.
const InitName = "berth-init"
