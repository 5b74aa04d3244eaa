package hooks

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// hook is a shell script in the form of a hook.
func hook(script string) wire.Hook {
	return wire.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}}
}

func TestStateOnStandardInput(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	h := hook("/bin/cat > " + out)
	for _, state := range []string{`{"id":"x"}`, "", strings.Repeat("long ", 1<<18)} {
		if err := Run(&h, state); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out); err != nil || string(got) != state {
			t.Errorf("the hook read %d bytes of %d (%v)", len(got), len(state), err)
		}
	}
}

func TestHookThatNeverReads(t *testing.T) {
	h := wire.Hook{Path: "/bin/true"}
	if err := Run(&h, strings.Repeat("x", 1<<20)); err != nil {
		t.Error(err)
	}
}

func TestEnvironmentIsTheConfiguredOne(t *testing.T) {
	t.Setenv("LEAK", "1")
	env, err := os.Stat("/usr/bin/env")
	if err != nil || env.IsDir() {
		t.Skip("needs /usr/bin/env")
	}
	for _, want := range [][]string{nil, {"A=b", "C=d e"}} {
		out := filepath.Join(t.TempDir(), "out")
		h := wire.Hook{Path: "/usr/bin/env", Env: want}
		h.Args = []string{"env", "/bin/cp", "/proc/self/environ", out}
		if err := Run(&h, ""); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if list := strings.Split(strings.TrimSuffix(string(got), "\x00"), "\x00"); strings.Join(list, ",") != strings.Join(want, ",") {
			t.Errorf("environment %q, want %q", list, want)
		}
	}
}

func TestNoFileDescriptorsLeak(t *testing.T) {
	// What this process inherited itself is not the hook's fault.
	if err := linux.CloseRange(3, ^uint(0), linux.CloseRangeCloexec); err != nil {
		t.Skip("needs close_range: ", err)
	}
	h := wire.Hook{Path: "/bin/ls", Args: []string{"ls", "/proc/self/fd", "/none"}}
	err := Run(&h, "")
	var e *Error
	// ls itself has the directory open as 3.
	if !errors.As(err, &e) || e.Stdout != "/proc/self/fd:\n0\n1\n2\n3" {
		t.Errorf("fds of the hook: %v", err)
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		hook wire.Hook
		want string
	}{
		{hook("exit 3"), "/bin/sh: exit status 3"},
		{hook("echo out; echo err >&2; echo >&2; exit 4"), "/bin/sh: exit status 4, stdout: out, stderr: err"},
		{hook("kill -9 $$"), "/bin/sh: killed by signal 9 (killed)"},
		{wire.Hook{Path: "/none/hook"}, "/none/hook: no such file or directory"},
		{wire.Hook{Path: "/"}, "/: permission denied"},
		{wire.Hook{Path: "/bin/sh", Args: []string{"a\x00"}}, "/bin/sh: invalid argument"},
	} {
		if err := Run(&c.hook, "{}"); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	h := wire.Hook{Path: "/none/hook"}
	if err := Run(&h, ""); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%v is not ENOENT", err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	h := hook("i=0; while [ $i -lt 4000 ]; do echo 0123456789012345678901234567890123456789012345678 >&2; i=$((i+1)); done; exit 1")
	err := Run(&h, "")
	var e *Error
	if !errors.As(err, &e) || len(e.Stderr) != maxCapture || !strings.HasPrefix(e.Stderr, "0123") {
		t.Errorf("kept %d bytes: %.100v", len(e.Stderr), err)
	}
}

// The timeout ends the hook's children too, even those that write without end.
func TestTimeout(t *testing.T) {
	dir := t.TempDir()
	for _, script := range []string{
		"echo $$ > " + dir + "/pid; echo early; sleep 1000",
		"echo $$ > " + dir + "/pid; echo early; sleep 1000 & wait",
		"echo $$ > " + dir + "/pid; echo early; while :; do echo more >&2; done",
	} {
		h := hook(script)
		h.Timeout = 1
		err := Run(&h, "")
		if err == nil || !strings.HasPrefix(err.Error(), "/bin/sh: timed out after 1 s, stdout: early") {
			t.Errorf("%s: %v", script, err)
		}
		if !groupIsGone(t, dir+"/pid") {
			t.Errorf("%s: something of it is still alive", script)
		}
	}
}

// groupIsGone polls until no process of the group whose number stands in file is
// alive: SIGKILL takes effect at once, but not at the same time.
func groupIsGone(t *testing.T, file string) bool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	group := strings.TrimSpace(string(data))
	for range 1000 {
		if !groupIsAlive(t, group) {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func groupIsAlive(t *testing.T, group string) bool {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, stat := range stats {
		data, err := os.ReadFile(stat)
		if err != nil {
			continue // ended meanwhile
		}
		_, rest, _ := strings.Cut(string(data), ") ")
		if f := strings.Fields(rest); len(f) > 2 && f[2] == group && f[0] != "Z" && f[0] != "X" {
			return true
		}
	}
	return false
}

// A hook may leave a process behind that holds its output open.
func TestBackgroundProcessIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(dir+"/hold", 0o600); err != nil {
		t.Fatal(err)
	}
	h := hook("/bin/cat < " + dir + "/hold & exit 5")
	if err := Run(&h, ""); err == nil || err.Error() != "/bin/sh: exit status 5" {
		t.Error(err)
	}
	// Lets the process go.
	hold, err := os.OpenFile(dir+"/hold", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := hold.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutPidfd(t *testing.T) {
	r := run{out: capture{fd: -1}, err: capture{fd: -1}, pidfd: -1}
	h := hook("echo hello; exit 6")
	stdin, err := stateFile("")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.start(&h, stdin); err != nil {
		t.Fatal(err)
	}
	closeFd(r.pidfd)
	closeFd(stdin)
	r.pidfd = -1
	defer r.close()
	status, timedOut, err := r.wait(60)
	if err != nil || timedOut || status.ExitStatus() != 6 || r.out.text() != "hello" {
		t.Errorf("status %v, timed out %v, output %q: %v", status, timedOut, r.out.text(), err)
	}
}

func TestRunAllStopsAtTheFirst(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	list := []wire.Hook{hook("echo 0 >> " + out), hook("echo no >&2; exit 3"), hook("echo 2 >> " + out)}
	err := RunAll("createRuntime", list, "{}")
	if want := "running createRuntime hook #1 /bin/sh: exit status 3, stderr: no"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != "0\n" {
		t.Errorf("hooks that ran: %q (%v)", got, err)
	}
	if err := RunAll("prestart", nil, "{}"); err != nil {
		t.Error(err)
	}
}

func TestRunEveryRunsAll(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	list := []wire.Hook{hook("exit 3"), hook("echo 1 >> " + out), {Path: "/none"}}
	err := RunEvery("poststop", list, "{}")
	want := "running poststop hook #0 /bin/sh: exit status 3; running poststop hook #2 /none: no such file or directory"
	if err == nil || err.Error() != want || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("error %v, want %s", err, want)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != "1\n" {
		t.Errorf("hooks that ran: %q (%v)", got, err)
	}
}
