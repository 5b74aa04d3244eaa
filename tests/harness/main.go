package harness

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	roleEnv = "BERTH_TEST_ROLE"
	baseEnv = "BERTH_TEST_BASE"
)

func init() {
	switch {
	case filepath.Base(os.Args[0]) == "probe":
		os.Exit(probe(os.Args[1:]))
	case os.Getenv(roleEnv) != "":
		os.Exit(role(os.Getenv(roleEnv), os.Args[1:]))
	}
}

// base is the directory all bundles live under, hybridHidden says that the cgroup2
// mount of a hybrid host is unmounted for a peer that refuses it.
var (
	base         string
	hybridHidden bool
)

// Main runs the suite and returns its exit status; TestMain hands it to os.Exit.
func Main(m *testing.M) int {
	if err := findRuntime(); err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
		return 1
	}
	if os.Geteuid() == 0 && os.Getenv(baseEnv) == "" {
		return inOwnMountNamespace()
	}
	if runtimeName == "crun" && os.Geteuid() != 0 && Cgroups().Hybrid() {
		fmt.Println("tests skipped: crun refuses hybrid cgroup hosts, and only root can hide cgroup2 from it")
		return 0
	}
	undo, err := prepareBase()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
		return 1
	}
	defer undo()
	// The containers' init processes come to this process when their runtime has exited.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "tests: set child subreaper:", err)
		return 1
	}
	// Tests mostly wait for other processes, so a few more than there are cores.
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
		return 1
	}
	fmt.Printf("runtime under test: %s (%s %s), uid %d, cgroups %s\n",
		runtimePath, runtimeName, runtimeVersion, os.Geteuid(), Cgroups())
	go adopt()
	mounts := mountPoints()
	code := m.Run()
	if left := leftAtTheEnd(mounts); left != "" {
		fmt.Fprintln(os.Stderr, "tests: left behind:", left)
		return 1
	}
	return code
}

// inOwnMountNamespace runs the suite once more in a private mount namespace, so
// that whatever it or the runtime mounts can be told apart from the host's.
func inOwnMountNamespace() int {
	dir, err := os.MkdirTemp("", "bt")
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
		return 1
	}
	defer func() {
		if err := os.Remove(dir); err != nil {
			fmt.Fprintln(os.Stderr, "tests:", err)
		}
	}()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), baseEnv+"="+dir, "BERTH_RUNTIME="+runtimePath)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "tests: start in an own mount namespace:", err)
		return 1
	}
	go func() {
		for s := range signals {
			// The child may have ended already; its status is what counts.
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
		return 1
	}
	return 0
}

// prepareBase makes the directory for bundles: a tmpfs for root, which makes
// set-up fast and lets pivot_root and whiteouts work on any host.
func prepareBase() (undo func(), err error) {
	if os.Geteuid() != 0 {
		base, err = os.MkdirTemp("", "bt")
		if err != nil {
			return nil, err
		}
		if err := os.Chmod(base, 0o755); err != nil {
			return nil, err
		}
		return func() { removeAll(base) }, makeTemplate()
	}
	base = os.Getenv(baseEnv)
	if err := unix.Mount("berth-tests", base, "tmpfs", 0, "mode=0755"); err != nil {
		return nil, fmt.Errorf("mount tmpfs on %s: %w", base, err)
	}
	if err := os.Setenv("TMPDIR", base); err != nil {
		return nil, err
	}
	layout := Cgroups()
	if runtimeName == "crun" && layout.Hybrid() {
		if err := unix.Unmount(layout.V2, 0); err != nil {
			return nil, fmt.Errorf("unmount %s for crun, which refuses hybrid hosts: %w", layout.V2, err)
		}
		hybridHidden = true
	}
	// The tmpfs goes with the mount namespace.
	return func() {}, makeTemplate()
}

// leftAtTheEnd names mounts and living children that no test owns any more.
func leftAtTheEnd(before map[string]bool) string {
	var left []string
	for point := range mountPoints() {
		if !before[point] {
			left = append(left, "mount "+point)
		}
	}
	// A container's init ends only after every other process of its pid namespace was
	// reaped, so it may take a few rounds.
	poll(5*time.Second, func() bool {
		pids := children()
		for _, pid := range pids {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
		return len(pids) == 0
	})
	for _, pid := range children() {
		left = append(left, "process "+strconv.Itoa(pid)+" "+commandLine(pid))
		killAndReap(pid)
	}
	return strings.Join(left, ", ")
}

// killAndReap ends a process; what cannot die (frozen on v1) it leaves after a while.
func killAndReap(pid int) {
	// ESRCH and ECHILD both mean that it is gone, which is what is wanted.
	_ = syscall.Kill(pid, syscall.SIGKILL)
	poll(2*time.Second, func() bool {
		got, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		return got != 0 || err != nil
	})
}

// children lists the direct children of this process.
func children() []int {
	var pids []int
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return nil
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func mountPoints() map[string]bool {
	points := map[string]bool{}
	mounts, err := ReadMounts("/proc/self/mountinfo")
	if err != nil {
		return points
	}
	for _, m := range mounts {
		points[m.Point] = true
	}
	return points
}

func commandLine(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
}
