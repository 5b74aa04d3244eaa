// Package systemd is the cgroup driver that lets systemd make the cgroup: a
// transient scope, started over D-Bus around the container's first process. What
// is in the cgroup's files it leaves to fs1 and fs2; the unit gets the same limits
// as properties, or systemd would undo them at its next daemon-reload.
//
//	Place   StartTransientUnit, wait for its job; then limits into files
//	Set     files, SetUnitProperties, files again
//	Destroy rmdir, StopUnit, ResetFailedUnit
//
// One connection serves a Manager: to systemd's private socket where that can be
// had, which spares the bus daemon, else to the bus. Root talks to the system's
// manager, a user to his own.
//
// A Manager is used by one goroutine.
//
// Runs: parent.
package systemd
