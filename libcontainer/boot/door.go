package boot

import (
	"runtime"
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
	"berth/nsenter"
)

// init is the door of stage 2. Go runs it as soon as the packages it imports are
// initialised, and berth sorts before everything else that waits for them.
func init() {
	args := linux.Args()
	if len(args) != 2 || args[0] != wire.InitName {
		return
	}
	// Locked for good: threads are made by a helper from now on, never by this one,
	// whose cgroup may allow no second.
	runtime.LockOSThread()
	sock, err := strconv.Atoi(args[1])
	if err != nil || !isSocket(sock) {
		die("berth-init is started by berth create, run and exec alone\n")
	}
	if err := nsenter.Unblind(); err != nil {
		die("berth-init: raise RLIMIT_NOFILE: " + err.Error() + "\n")
	}
	s := &stage{conn: wire.Conn{FD: sock}, slave: -1}
	s.fail(s.run())
}

func isSocket(fd int) bool {
	var st syscall.Stat_t
	return syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFSOCK
}

func die(msg string) {
	// There is nobody left to tell if this fails.
	_, _ = syscall.Write(2, []byte(msg))
	syscall.Exit(1)
}
