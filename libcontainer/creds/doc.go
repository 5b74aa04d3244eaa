// Package creds makes the init stage's thread the container's user and ends it
// in execve: scheduling, limits, ids, capabilities, no_new_privs, working
// directory, seccomp.
//
// Everything here acts on the calling thread alone, with raw system calls. That
// is enough: execve(2) keeps the thread that calls it and ends all others of the
// process, so their old credentials never reach the workload.
//
// The order, with the reason for each step's place:
//
//	Scheduling     needs CAP_SYS_NICE for more than the default
//	RaiseRlimits   raising a hard limit needs CAP_SYS_RESOURCE
//	Bounding       needs CAP_SETPCAP; inheritable bits must be set before it
//	User           needs CAP_SETUID, CAP_SETGID; keeps the permitted set
//	Capabilities   after User: setresuid(2) clears the effective and ambient sets
//	NoNewPrivs     before the filter: it gives the right to load one
//	Umask, Chdir   as the container's user
//	LookPath       as the container's user, below the new cwd
//	Landlock       after all files are open, before the filter may forbid it
//	LoadAndExec    limits, affinity, seccomp, execve
//
// Runs: stage 2, one locked thread, inside all namespaces. RaiseRlimits also
// works from the parent, which holds privileges in the host's user namespace.
package creds
