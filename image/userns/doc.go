// Package userns executes the image program again where it can do what it is about
// to: an ordinary user as root of a user namespace, with the ids that /etc/subuid
// and /etc/subgid give, so that files of an image keep their owners; and in a
// private mount namespace, for a build's mounts, which then go with the process.
//
// unshare(2) of a user namespace wants a process with a single thread, which no Go
// program has: hence a child. A mount namespace belongs to a thread, and execve(2)
// makes that thread the process: hence no child for root.
//
// Runs: the image program.
package userns
