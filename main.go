// Command berth runs containers as the OCI runtime specification says. One binary
// is three programs, and this file names their doors:
//
//   - the verbs a person or an engine calls, in internal/cli;
//   - stage 1 (nsenter), the moment between fork and execve in which a child enters
//     the container's namespaces; libcontainer/launch forks it;
//   - stage 2 (libcontainer/boot), the same binary executed again inside them, which
//     takes over in its package's init, before anything else has been initialised,
//     and ends in the container's program.
//
// The Go runtime need not follow the CPU limit of its cgroup, for which it keeps files
// open and starts a thread: no verb computes.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"os"

	"berth/internal/cli"
	_ "berth/libcontainer/boot"
)

func main() { os.Exit(cli.Main(os.Args)) }
