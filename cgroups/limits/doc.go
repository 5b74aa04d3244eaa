// Package limits is what the drivers of cgroup v1 and v2 have in common: which
// controller each field of linux.resources asks for, and the limits that both take
// in the same way.
//
// Runs: parent.
package limits
