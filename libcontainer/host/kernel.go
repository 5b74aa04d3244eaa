package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "" // EFAULT is its only error
	}
	return unix.ByteSliceToString(u.Release[:])
}

// since tells whether the running kernel is at least of that version. Distributions
// carry features back: it is asked only where nothing else tells.
func since(major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(release(), "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// known tells whether the kernel knows a system call, from the error of a call
// with arguments that no kernel accepts.
func known(err error) bool { return !errors.Is(err, unix.ENOSYS) }

func kernelFacts() []Fact {
	const group = "kernel"
	_, pidfdErr := unix.PidfdOpen(-1, 0)
	_, openat2Err := unix.Openat2(-1, "", &unix.OpenHow{Resolve: unix.RESOLVE_IN_ROOT})
	closeRangeErr := unix.CloseRange(2, 1, 0)
	facts := []Fact{
		fact(group, "clone into cgroup", since(5, 7), "Linux 5.7 or newer", "needs Linux 5.7: joining a v2 cgroup waits for the kernel"),
		fact(group, "pidfd", known(pidfdErr), "pidfd_open(2)", "needs Linux 5.3: signals go by number"),
		fact(group, "openat2", known(openat2Err), "openat2(2)", "needs Linux 5.6: paths are walked step by step"),
		fact(group, "close_range", known(closeRangeErr), "close_range(2)", "needs Linux 5.9: descriptors are closed one by one"),
		exitStatusFact(),
	}
	return facts
}

// exitStatusFact tells whether `berth wait` learns the status of what others reap.
func exitStatusFact() Fact {
	ok := since(6, 15)
	if fd, err := unix.PidfdOpen(os.Getpid(), 0); err == nil {
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		ok = unix.IoctlPidfdInfo(fd, &info) == nil && ok
		unix.Close(fd)
	}
	return fact("kernel", "exit status by pidfd", ok, "PIDFD_INFO_EXIT", "needs Linux 6.15: 'wait' knows only what was recorded")
}

func lsmFacts() []Fact {
	const group = "security"
	apparmor := strings.HasPrefix(read("/sys/module/apparmor/parameters/enabled"), "Y")
	var st unix.Statfs_t
	selinux := unix.Statfs("/sys/fs/selinux", &st) == nil && uint32(st.Type) == unix.SELINUX_MAGIC
	abi := landlockABI()
	return []Fact{
		fact(group, "apparmor", apparmor, "enabled", "not enabled in this kernel"),
		fact(group, "selinux", selinux, "selinuxfs is mounted", "no selinuxfs on /sys/fs/selinux"),
		fact(group, "landlock", abi > 0, fmt.Sprintf("ABI version %d", abi), "the kernel has no landlock, or it is not among its lsm="),
	}
}

func landlockABI() int {
	const createRulesetVersion = 1
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, createRulesetVersion)
	if errno != 0 {
		return 0
	}
	return int(n)
}

func seccompFacts(libseccomp string) []Fact {
	const group = "seccomp"
	actions := strings.TrimSpace(read("/proc/sys/kernel/seccomp/actions_avail"))
	return []Fact{
		fact(group, "filters", actions != "", "actions: "+actions, "the kernel has no CONFIG_SECCOMP_FILTER"),
		fact(group, "notify", strings.Contains(actions, "user_notif"), "user_notif", "needs Linux 5.0"),
		fact(group, "libseccomp", libseccomp != "", "version "+libseccomp, "this berth was built without libseccomp: it refuses bundles with linux.seccomp"),
	}
}

func otherFacts() []Fact {
	const group = "other"
	path, err := exec.LookPath("criu")
	_, rdt := os.Stat("/sys/fs/resctrl/schemata")
	_, systemd := os.Lstat("/run/systemd/system")
	return []Fact{
		fact(group, "criu", err == nil, path, "criu is not in PATH: no checkpoint and restore"),
		fact(group, "resctrl", rdt == nil, "/sys/fs/resctrl is mounted", "no resctrl on /sys/fs/resctrl: linux.intelRdt is refused"),
		fact(group, "systemd", systemd == nil, "it runs", "systemd does not run here: no --systemd-cgroup"),
	}
}

// read returns a small file of the kernel's, "" when it cannot be read.
func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}
