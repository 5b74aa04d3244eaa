package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// role is a life of this binary outside of containers: it changes something about
// its own process and then execs what follows "--".
//
//	enosys NR...    the given system calls answer ENOSYS (seccomp)
//	cgroup DIR...   moves itself into the cgroups
//	listen          sets LISTEN_PID to its pid, as systemd does
func role(name string, args []string) int {
	at := slices.Index(args, "--")
	if at < 0 || at+1 >= len(args) {
		fmt.Fprintln(os.Stderr, "role", name+": no command")
		return 125
	}
	params, command := args[:at], args[at+1:]
	runtime.LockOSThread()
	var err error
	switch name {
	case "enosys":
		err = loadEnosys(params)
	case "cgroup":
		for _, dir := range params {
			err = os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0)
			if err != nil {
				break
			}
		}
	case "listen":
		err = os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	default:
		err = fmt.Errorf("unknown role")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "role", name+":", err)
		return 125
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "role", name+":", err)
		return 125
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, roleEnv+"=") })
	err = syscall.Exec(path, command, env)
	fmt.Fprintln(os.Stderr, "role", name+":", err)
	return 125
}

// loadEnosys loads a filter under which the calls behave as on a kernel that does
// not know them.
func loadEnosys(numbers []string) error {
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}}
	for _, text := range numbers {
		nr, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return err
		}
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(nr), Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// Root needs no no_new_privs, which the runtime's own tests would see.
	if os.Geteuid() != 0 {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
