// Package conformance runs opencontainers/runtime-tools, the validation suite of
// the OCI runtime specification, against a runtime, and gates its result program
// by program with the table verdicts.txt.
//
// The suite is pinned to one commit and built below the user's cache directory by
// `go install`, apart from this module: berth's go.mod knows nothing of it. Its
// programs run one at a time, since several use the same cgroup names, each in a
// mount namespace of its own, since some mount into the tester's.
//
// Environment:
//
//	BERTH_RUNTIME   the runtime; default ../../bin/berth
//
// A runtime that is not berth (runc, crun) is a peer: its results are printed and
// counted, but it is not held to the table.
package conformance
