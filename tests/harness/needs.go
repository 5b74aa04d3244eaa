package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Need is a condition of a test; New skips with the reason when it is not met.
type Need struct {
	check   func(*Test) string
	prepare func(*Test)
	serial  bool
}

var (
	// Root needs uid 0.
	Root = Need{check: func(*Test) string {
		if os.Geteuid() != 0 {
			return "root"
		}
		return ""
	}}
	// AsUser runs the runtime as an ordinary user, also when the suite runs as root.
	AsUser = Need{prepare: func(x *Test) { x.Rootless = true }}
	// IDs needs more ids than one inside: root's, or a range of subordinate ids, which
	// the specs of an ordinary user's tests map from id 1 on then.
	IDs = Need{check: func(x *Test) string {
		if x.Rootless && !x.findRanges() {
			return "root, or newuidmap and ranges of subordinate ids"
		}
		return ""
	}}
	// Serial keeps the test from running beside others.
	Serial = Need{serial: true}
	// V1 needs a host with v1 hierarchies.
	V1 = Need{check: func(*Test) string {
		if len(Cgroups().V1) == 0 {
			return "cgroup v1"
		}
		return ""
	}}
	// V2 needs a host with cgroup v2 only.
	V2 = Need{check: func(*Test) string {
		if !Cgroups().Unified() {
			return "cgroup v2"
		}
		return ""
	}}
	// Berth leaves the peers out.
	Berth = Need{check: func(*Test) string {
		if !IsBerth() {
			return "berth: it tests what only berth promises"
		}
		return ""
	}}
	// UserNS needs user namespaces for unprivileged users.
	UserNS = Need{check: func(*Test) string {
		cmd := exec.Command(Busybox(), "unshare", "-U", "true")
		if os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: User, Gid: User}}
		}
		if err := cmd.Run(); err != nil {
			return fmt.Sprintf("user namespaces for unprivileged users: %v", err)
		}
		return ""
	}}
)

// Not leaves a peer out, with the reason.
func Not(peer, why string) Need {
	return Need{check: func(*Test) string {
		if runtimeName == peer {
			return "a runtime other than " + peer + ": " + why
		}
		return ""
	}}
}

// Cgroup needs a usable cgroup controller, and the right to limits: root's, or that of
// a user with a delegated cgroup.
func Cgroup(controllers ...string) Need {
	return Need{check: func(x *Test) string {
		usable := Cgroups().Has
		if delegated() != "" {
			usable = func(name string) bool { return Cgroups().hasIn(delegated(), name) }
		} else if x.Rootless {
			return "root for cgroups"
		}
		for _, controller := range controllers {
			if !usable(controller) {
				return "the " + controller + " cgroup controller"
			}
		}
		return ""
	}}
}

// Namespace needs a kind of namespace in the kernel, as named in /proc/self/ns.
func Namespace(kind string) Need {
	return Need{check: func(*Test) string {
		if _, err := os.Stat(filepath.Join("/proc/self/ns", kind)); err != nil {
			return "a kernel with " + kind + " namespaces"
		}
		return ""
	}}
}

// Capability needs a capability in the suite's effective set.
func Capability(number int, name string) Need {
	return Need{check: func(*Test) string {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&header, &data[0]); err != nil {
			return err.Error()
		}
		if data[number/32].Effective&(1<<(number%32)) == 0 {
			return name
		}
		return ""
	}}
}

// Program needs a program in PATH.
func Program(name string) Need {
	return Need{check: func(*Test) string {
		if _, err := exec.LookPath(name); err != nil {
			return name + " in PATH"
		}
		return ""
	}}
}

// Kernel needs a condition that the test states itself.
func Kernel(what string, ok func() bool) Need {
	return Need{check: func(*Test) string {
		if !ok() {
			return what
		}
		return ""
	}}
}
