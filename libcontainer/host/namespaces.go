package host

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Namespaces tells which kinds of namespaces the kernel has and the caller may make.
func Namespaces() []Fact {
	list := make([]Fact, 0, 8)
	for _, kind := range []string{"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"} {
		list = append(list, Namespace(kind))
	}
	return list
}

// Namespace tells it of one kind, named as in config.json.
func Namespace(kind string) Fact {
	file := kind
	switch kind {
	case "mount":
		file = "mnt"
	case "network":
		file = "net"
	}
	if _, err := os.Lstat("/proc/self/ns/" + file); err != nil {
		return Fact{Group: "namespaces", Name: kind, Reason: "the kernel has none (/proc/self/ns/" + file + " does not exist)"}
	}
	if kind == "user" {
		return userNamespace()
	}
	return Fact{Group: "namespaces", Name: kind, OK: true, Reason: "/proc/self/ns/" + file}
}

// userNamespace tries it: sysctls, security modules and filters all have a say.
func userNamespace() Fact {
	f := Fact{Group: "namespaces", Name: "user", OK: true, Reason: "one could be made"}
	err := makeUserNamespace()
	if err == nil {
		return f
	}
	f.OK, f.Reason = false, "clone(CLONE_NEWUSER): "+err.Error()
	if why := UserNamespaceRefused(err); why != "" {
		f.Reason += "; " + why
	}
	return f
}

// makeUserNamespace starts a child in one, which ends at once.
func makeUserNamespace() error {
	cmd := exec.Command("/proc/self/exe", "--version")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil // it did run
	}
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// UserNamespaceRefused names the setting of this host that makes the kernel refuse
// a user namespace with err, "" when none is known.
func UserNamespaceRefused(err error) string {
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EACCES) {
		return ""
	}
	user := os.Geteuid() != 0
	switch {
	case sysctl("user/max_user_namespaces") == "0":
		return "user namespaces are switched off: sysctl -w user.max_user_namespaces=15000"
	case errors.Is(err, unix.ENOSPC):
		return "there are as many user namespaces as user.max_user_namespaces allows, or they are nested 32 deep"
	case user && sysctl("kernel/unprivileged_userns_clone") == "0":
		return "they are switched off for ordinary users: sysctl -w kernel.unprivileged_userns_clone=1"
	case user && sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "AppArmor keeps ordinary users from them: give berth a profile with 'userns,', or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
	case errors.Is(err, unix.EINVAL):
		return "the kernel was built without user namespaces (CONFIG_USER_NS)"
	}
	return ""
}

func sysctl(name string) string { return strings.TrimSpace(read("/proc/sys/" + name)) }
