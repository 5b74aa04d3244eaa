// Package linux holds typed wrappers over raw Linux system calls for the code
// that runs inside the container's namespaces before execve.
//
// It imports syscall and unsafe alone, never golang.org/x/sys/unix: Go
// initialises packages in import-path order as soon as their imports are ready,
// and x/sys/unix waits for reflect, time and strings. The init stage is
// dispatched long before those (see docs/architecture.md, "Early dispatch"), so
// every package it uses may import only what syscall itself imports.
//
// Conventions: file descriptors are ints and are opened O_CLOEXEC; errors are
// bare syscall.Errno values, the caller adds operation and object. EINTR is
// retried where the call can return it. Wrappers that pass pointers live in
// files named *_unsafe.go.
package linux
