// Package manager picks the cgroup driver: the one place that knows them all.
//
//	driver \ host   v1 or hybrid   v2
//	cgroupfs        fs1            fs2
//	systemd         refused        refused
//	disabled        none           none
//
// Runs: parent.
package manager
