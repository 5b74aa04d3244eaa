// Package devices turns linux.resources.devices into what the kernel takes: lines
// for devices.allow and devices.deny on cgroup v1, an eBPF program on v2.
//
// The rules are a list in which the last match wins, laid over "deny everything".
// v2 programs say exactly that. A v1 cgroup holds one default and a set of
// exceptions from it, so a rule that would cut a hole into an earlier wildcard is
// refused there: the kernel would take the line and go on allowing the device.
//
// Runs: parent.
package devices
