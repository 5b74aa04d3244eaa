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
//	comount DIR LIST...  has in a mount namespace of its own, beside the hierarchies of the
//	                host, one for each list of controllers, and links to it; DIR is empty
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
	case "comount":
		err = comount(params[0], params[1:])
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

// comount builds a /sys/fs/cgroup as of a host with further hierarchies. They end with
// the mount namespace, or soon after.
func comount(dir string, lists []string) error {
	const top = "/sys/fs/cgroup"
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, point := range Cgroups().Points() {
		at := filepath.Join(dir, filepath.Base(point))
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(point, at, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	for _, list := range lists {
		at := filepath.Join(dir, list)
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("cgroup", at, "cgroup", 0, list); err != nil {
			return fmt.Errorf("mount %s: %w", list, err)
		}
		for name := range strings.SplitSeq(list, ",") {
			if err := os.Symlink(list, filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return unix.Mount(dir, top, "", unix.MS_BIND|unix.MS_REC, "")
}
