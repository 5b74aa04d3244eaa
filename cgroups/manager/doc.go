// Package manager picks the cgroup driver: the one place that knows them all.
//
//	driver \ host   v1 or hybrid   v2
//	cgroupfs        fs1            fs2
//	systemd         systemd, fs1   systemd, fs2
//	disabled        none           none
//
// Runs: parent.
package manager
