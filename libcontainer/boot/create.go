package boot

// createSteps make a container. The order is a chain of reasons:
//
//	cgroup first           what follows is accounted to the container, and the cgroup
//	                       namespace takes its root from where the thread is
//	loopback before hooks  a hook that sets the network up finds it as with other runtimes
//	rootfs before hooks    hooks see the mounts (OCI runtime spec, lifecycle 5–7)
//	console before pivot   the pty comes from the container's devpts by fd
//	sysctls before masks   /proc/sys is made read-only by the latter
//	user before ready      errors of user, capabilities and executable belong to create,
//	                       and startContainer hooks get no more rights than the workload
//	rlimits, seccomp last  this is a Go program: RLIMIT_AS would hit it; and after the
//	                       filter only execve may be needed (creds.LoadAndExec)
var createSteps = []step{
	{"cgroup", (*stage).joinCgroup},
	{"session", (*stage).newSession},
	{"loopback", (*stage).loopbackUp},
	{"procfs", (*stage).openProc},
	{"keyring", (*stage).joinKeyring},
	{"rootfs", (*stage).prepareRootfs},
	{"console", (*stage).openConsole},
	{"hooks", (*stage).createHooks},
	{"pivot root", (*stage).enterRootfs},
	{"hostname", (*stage).setNames},
	{"sysctl", (*stage).setSysctls},
	{"label", (*stage).setLabels},
	{"masks", (*stage).finishRootfs},
	{"terminal", (*stage).attachTerminal},
	{"scheduling", (*stage).setScheduling},
	{"cwd", (*stage).makeCwd},
	{"user", (*stage).becomeUser},
	{"executable", (*stage).findExecutable},
	{"ready", (*stage).ready},
	{"start", (*stage).awaitStart},
	{"hooks", (*stage).startHooks},
	{"exec", (*stage).exec},
}

// execSteps run a further process in a container: the namespaces are joined, the
// file system stands.
var execSteps = []step{
	{"cgroup", (*stage).joinCgroup},
	{"session", (*stage).newSession},
	{"procfs", (*stage).openProc},
	{"keyring", (*stage).joinKeyring},
	{"console", (*stage).openConsole},
	{"label", (*stage).setLabels},
	{"terminal", (*stage).attachTerminal},
	{"scheduling", (*stage).setScheduling},
	{"user", (*stage).becomeUser},
	{"executable", (*stage).findExecutable},
	{"ready", (*stage).ready},
	{"start", (*stage).awaitStart},
	{"exec", (*stage).exec},
}
