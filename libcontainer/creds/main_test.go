package creds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"berth/libcontainer/wire"
)

// Everything here changes the calling thread for good, so each test runs in a
// process of its own: the test binary again, with a role.

const roleEnv = "BERTH_CREDS_ROLE"

// request is what a child is to do.
type request struct {
	Process     wire.Process
	NoSetgroups bool
	// Lack are capabilities that the child gives up before it begins.
	Lack []int
	// Args are for roles other than "become".
	Args []string
}

var roles = map[string]func(request) error{
	"become": become,
}

func TestMain(m *testing.M) {
	role := roles[os.Getenv(roleEnv)]
	if role == nil {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	var r request
	if err := json.NewDecoder(os.NewFile(3, "request")).Decode(&r); err != nil {
		panic(err)
	}
	if err := role(r); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		var errno syscall.Errno
		if errors.As(err, &errno) {
			fmt.Fprintln(os.Stderr, "errno:", int(errno))
		}
		os.Exit(99)
	}
	os.Exit(0)
}

// become does what the init stage does, in its order.
func become(r request) error {
	p := &r.Process
	lose(r.Lack)
	if err := Scheduling(p); err != nil {
		return err
	}
	if err := RaiseRlimits(0, p.Rlimits); err != nil {
		return err
	}
	warn := func(text string) { fmt.Fprintln(os.Stderr, "warning:", text) }
	if err := Bounding(p, warn); err != nil {
		return err
	}
	if err := User(p, r.NoSetgroups); err != nil {
		return err
	}
	if err := Capabilities(p, warn); err != nil {
		return err
	}
	if p.NoNewPrivs {
		if err := NoNewPrivs(); err != nil {
			return err
		}
	}
	Umask(p)
	if p.Cwd != "" {
		if err := Chdir(p.Cwd); err != nil {
			return err
		}
	}
	path, err := LookPath(p.Args[0], p.Env)
	if err != nil {
		return err
	}
	return LoadAndExec(p, path, p.Args, p.Env, nil)
}

// result is how a child ended.
type result struct {
	code           int
	signal         syscall.Signal
	stdout, stderr string
}

// child runs role with r in new namespaces (CLONE_NEW*) and returns how it ended.
// A new user namespace maps 0 alone, to the caller.
func child(t *testing.T, role string, r request, namespaces uintptr) result {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		// A child that died before reading shows in its status.
		_, _ = out.Write(data)
		_ = out.Close()
	}()
	cmd := exec.Command("/proc/self/exe")
	// As for the init stage: a preemption signal under a filter that forbids
	// rt_sigreturn(2) is the end.
	cmd.Env = append(os.Environ(), roleEnv+"="+role, "GODEBUG=asyncpreemptoff=1")
	cmd.ExtraFiles = []*os.File{in}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	if namespaces&syscall.CLONE_NEWUSER != 0 {
		one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = one, one
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		t.Fatal("no wait status")
	}
	res := result{code: status.ExitStatus(), stdout: stdout.String(), stderr: stderr.String()}
	if status.Signaled() {
		res.signal = status.Signal()
	}
	return res
}

func (r result) mustSucceed(t *testing.T) {
	t.Helper()
	if r.code != 0 || r.signal != 0 {
		t.Fatalf("exit status %d, signal %v\n%s", r.code, r.signal, r.stderr)
	}
}

// mustFail checks that the child gave up with the sentence want.
func (r result) mustFail(t *testing.T, want string) {
	t.Helper()
	if r.code != 99 || !strings.Contains(r.stderr, "error: "+want+"\n") {
		t.Fatalf("exit status %d, stderr:\n%s\nwant error: %s", r.code, r.stderr, want)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
}

// busybox returns the path of a static busybox.
func busybox(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/bin/busybox", "/usr/bin/busybox"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Skip("needs busybox")
	return ""
}

// process is a workload without any special wish.
func process(args ...string) wire.Process {
	return wire.Process{Args: args, Env: []string{"PATH=/usr/bin:/bin"}, Umask: -1}
}
