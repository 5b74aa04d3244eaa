// Package stats reads what the kernel counts for a container: the files of its
// cgroups on v1 and v2, found through the cgroups.Record of its state file, and
// tells when it runs out of memory (WatchOOM). It changes nothing.
//
// The JSON form of Stats is what `runc events --stats` prints (package types of
// runc), with two differences: what the host does not count is left out, where
// runc shows zeros; and rdma, which runc reads but does not print, is there.
//
// Runs: parent.
package stats
