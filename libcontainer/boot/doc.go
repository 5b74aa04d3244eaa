// Package boot is stage 2, the init stage: berth's own binary, executed by stage 1
// inside the container's namespaces. It receives the Plan, carries out its steps
// one by one (create.go, exec.go: two tables over the same steps), tells the parent
// what happens, and ends in execve of the workload.
//
// It is dispatched from an init function, before the packages the verbs need are
// initialised (docs/architecture.md, "Early dispatch"): hence neither it nor
// anything it imports may use os, fmt or x/sys/unix.
//
// Runs: stage 2, one goroutine on the process's main thread (a second one only for
// a seccomp listener, see passListener), inside all namespaces. The thread is the only one that matters: it alone enters the
// cgroups, takes the credentials and loads the filter, and execve ends the others.
package boot
