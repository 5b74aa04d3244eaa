// Package embedded holds the programs that lie in berth's own binary (go:embed), and
// executes them.
//
// Why programs in a program: Go initialises every package that is linked, and a Go
// program with C in it takes half as long again to start. What few verbs need is
// therefore a program of its own, which costs nothing until it is asked for, and
// berth is one file all the same.
//
//	Image     image/program, for the verbs about images (internal/imageside)
//	Compiler  seccomp/program, which compiles profiles with libseccomp (seccomp)
//
// Runs: parent.
package embedded
