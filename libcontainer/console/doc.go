// Package console gives the workload its controlling terminal: a pty from the
// container's own devpts, the master sent to whoever asked for it.
//
// Runs: stage 2, one thread, inside the container's mount namespace. The other
// end (raw mode, relaying, resizing) belongs to the parent and is not here.
package console
