// Package harness is what the test suites that drive a runtime from outside have
// in common: it finds the runtime, makes bundles, runs verbs, looks from inside a
// container through a probe, and asserts that a test leaves nothing on the host.
//
// A suite's TestMain calls Main. The test binary has three more lives, which Main
// and an init function dispatch: as the runner in a mount namespace of its own
// (root only), as an outside role (environment BERTH_TEST_ROLE, see roles.go), and
// as /bin/probe inside containers (by its name, see probe.go).
//
// Environment:
//
//	BERTH_RUNTIME   the runtime; default ../../bin/berth, then berth in PATH
//	BERTH_BUSYBOX   a static busybox; default /bin/busybox
//	BERTH_CGROUP_MANAGER  systemd: the runtime is called with --systemd-cgroup
//	BERTH_TEST_CGROUP     the cgroup an unprivileged user may make cgroups in,
//	                      as in /proc/PID/cgroup; default: none
//	BERTH_TEST_SLOWNESS   multiplies all time limits; default 1
//
// A runtime other than berth (runc, crun) is a peer. Where a peer is known to fail
// a test says so with PeerFails: the failure is then printed as known and the test
// skipped, while berth is held to it.
package harness
