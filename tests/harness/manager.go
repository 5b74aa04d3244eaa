package harness

import "os"

// Systemd says that the runtime makes cgroups through systemd. Root's rootless tests
// have no session, and so no systemd to ask.
func (x *Test) Systemd() bool {
	return os.Getenv("BERTH_CGROUP_MANAGER") == "systemd" && (!x.Rootless || os.Geteuid() != 0)
}

func (x *Test) managerFlag() []string {
	if x.Systemd() {
		return []string{"--systemd-cgroup"}
	}
	return nil
}

// cgroupsPath returns what a container with the id has as cgroupsPath: for systemd the
// scope bt-ID in the default slice; empty where there is no cgroup to be had.
func (x *Test) cgroupsPath(id string) string {
	switch {
	case x.Systemd():
		return ":bt:" + id
	case !x.Rootless:
		return "/" + id
	case delegated() != "":
		return delegated() + "/" + id
	}
	return ""
}

// delegated returns the cgroup in which an unprivileged suite may make others; empty:
// there is none, and containers go without limits.
func delegated() string {
	if os.Geteuid() == 0 {
		return ""
	}
	return os.Getenv("BERTH_TEST_CGROUP")
}
