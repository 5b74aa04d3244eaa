// Package hooks runs OCI hooks: a program with the container's state on its
// standard input.
//
// Runs: in the parent (prestart, createRuntime, poststart, poststop) and in stage
// 2 (createContainer, startContainer). A hook has the namespaces and credentials
// of the calling thread; a parent that has changed those locks the thread.
package hooks
