// Package cgroups holds the types every cgroup driver and every user of one
// shares: the Manager interface, Config, Record and the sentinel errors. It
// touches no kernel file; the drivers below it do (fs1, fs2, systemd), and
// cgroups/manager picks one.
//
// Runs: parent.
package cgroups
