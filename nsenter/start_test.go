package nsenter_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"berth/internal/linux"
	"berth/nsenter"
)

// TestMain is the binary that stage 1 executes: it prints what it finds and leaves.
func TestMain(m *testing.M) {
	if os.Args[0] != "nsenter-child" {
		os.Exit(m.Run())
	}
	if err := nsenter.Unblind(); err != nil {
		fmt.Println(err)
	}
	for _, name := range os.Args[1:] {
		link, err := os.Readlink("/proc/thread-self/ns/" + name)
		if err != nil {
			link = err.Error()
		}
		fmt.Printf("%s %s\n", name, link)
	}
	if table, err := os.ReadFile("/proc/self/mountinfo"); err == nil && strings.Contains(string(table), marker) {
		fmt.Println("sees", marker)
	}
	fmt.Printf("pid %d uid %d\n", os.Getpid(), os.Getuid())
	fds, _ := os.ReadDir("/proc/self/fd")
	var open []string
	for _, fd := range fds {
		link, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && !strings.HasPrefix(link, "/proc/") && !strings.HasPrefix(link, "anon_inode:") {
			open = append(open, fd.Name())
		}
	}
	fmt.Println("fds", strings.Join(open, " "))
	os.Exit(7)
}

// marker is the source of a mount in one mount namespace.
const marker = "berth-nsenter-test"

func needRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: creates namespaces without a user namespace")
	}
}

// run starts the child with its standard output in a pipe and returns what it said.
func run(t *testing.T, o nsenter.Options) (string, syscall.WaitStatus, error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	saved, err := syscall.Dup(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Dup3(int(w.Fd()), 1, 0); err != nil {
		t.Fatal(err)
	}
	// What the caller of go test leaked is not this package's to close.
	if err := linux.CloseRange(3, ^uint(0), linux.CloseRangeCloexec); err != nil {
		t.Fatal(err)
	}
	o.ExeFD = int(exe.Fd())
	o.Args = append([]string{"nsenter-child"}, o.Args...)
	pid, err := nsenter.Start(o)
	if e := syscall.Dup3(saved, 1, 0); e != nil {
		t.Fatal(e)
	}
	syscall.Close(saved)
	w.Close()
	if err != nil {
		return "", 0, err
	}
	buf := make([]byte, 4096)
	n := 0
	for {
		k, err := r.Read(buf[n:])
		n += k
		if err != nil || k == 0 {
			break
		}
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil {
		t.Fatalf("wait for %d: %v (the child is not ours)", pid, err)
	}
	return string(buf[:n]), ws, nil
}

func link(t *testing.T, name string) string {
	l, err := os.Readlink("/proc/thread-self/ns/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A new mount namespace is a copy of the given one, with one clone and with two.
func TestOrigin(t *testing.T) {
	needRoot(t)
	origin := exec.Command("sh", "-c", "mount -t tmpfs "+marker+" /mnt && echo && read line")
	origin.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	in, err := origin.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := origin.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := origin.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = in.Close(), origin.Wait() }() // read fails at the end of file
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatalf("mount in a mount namespace: %v", err)
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", origin.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", origin.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	const newTime = 0x80
	for name, more := range map[string]uintptr{"one clone": 0, "two clones": newTime} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat("/proc/self/ns/time"); more != 0 && err != nil {
				t.Skip("needs time namespaces (v5.6)")
			}
			out, ws, err := run(t, nsenter.Options{
				New:      syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | more,
				Origin:   &nsenter.Join{FD: int(ns.Fd()), Flags: syscall.CLONE_NEWNS, Name: "origin"},
				Offsets:  func(int) error { return nil },
				CgroupFD: -1,
				Args:     []string{"mnt"},
			})
			if err != nil || ws.ExitStatus() != 7 {
				t.Fatalf("%v %v", ws, err)
			}
			if !strings.Contains(out, "sees "+marker) || strings.Contains(out, theirs) || strings.Contains(out, link(t, "mnt")) {
				t.Errorf("origin %s, child: %s", theirs, out)
			}
		})
	}
}

func TestNewNamespaces(t *testing.T) {
	needRoot(t)
	const all = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET | 0x02000000
	out, ws, err := run(t, nsenter.Options{New: all, CgroupFD: -1, Args: []string{"mnt", "uts", "ipc", "net", "cgroup"}})
	if err != nil {
		t.Fatal(err)
	}
	if ws.ExitStatus() != 7 {
		t.Fatalf("exit status %d, want 7; output %q", ws.ExitStatus(), out)
	}
	for _, name := range []string{"mnt", "uts", "ipc", "net", "cgroup"} {
		if strings.Contains(out, name+" "+link(t, name)+"\n") {
			t.Errorf("%s namespace is the caller's", name)
		}
	}
	if !strings.Contains(out, "pid 1 uid 0") {
		t.Errorf("not pid 1: %q", out)
	}
	if !strings.Contains(out, "fds 0 1 2\n") {
		t.Errorf("file descriptors leaked: %q", out)
	}
}

func TestUserAndTimeNamespace(t *testing.T) {
	maps := func(pid int) error {
		for _, f := range []struct{ name, text string }{
			{"setgroups", "deny"},
			{"uid_map", fmt.Sprintf("0 %d 1", os.Geteuid())},
			{"gid_map", fmt.Sprintf("0 %d 1", os.Getegid())},
		} {
			if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, f.name), []byte(f.text), 0); err != nil {
				return err
			}
		}
		return nil
	}
	offsets := func(pid int) error {
		return os.WriteFile(fmt.Sprintf("/proc/%d/timens_offsets", pid), []byte("boottime 86400 0\n"), 0)
	}
	for _, c := range []struct {
		name string
		new  uintptr
	}{
		{"one clone", syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID},
		{"two clones", syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | 0x80},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, ws, err := run(t, nsenter.Options{New: c.new, CgroupFD: -1, Maps: maps, Offsets: offsets, Args: []string{"user", "time", "mnt"}})
			if err != nil {
				t.Fatal(err)
			}
			if ws.ExitStatus() != 7 || !strings.Contains(out, "pid 1 uid 0") {
				t.Errorf("exit status %d, output %q", ws.ExitStatus(), out)
			}
			if strings.Contains(out, "user "+link(t, "user")+"\n") {
				t.Errorf("user namespace is the caller's")
			}
			if (c.new&0x80 != 0) == strings.Contains(out, "time "+link(t, "time")+"\n") {
				t.Errorf("time namespace: %q", out)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	_, _, err = run(t, nsenter.Options{CgroupFD: -1, HostJoins: []nsenter.Join{{FD: int(null.Fd()), Flags: syscall.CLONE_NEWNET, Name: "net"}}})
	if err == nil || err.Error() != "join namespace net: invalid argument" {
		t.Errorf("join of a file that is no namespace: %v", err)
	}
	wrong := fmt.Errorf("no maps today")
	_, _, err = run(t, nsenter.Options{CgroupFD: -1, New: syscall.CLONE_NEWUSER, Maps: func(int) error { return wrong }})
	if err != wrong {
		t.Errorf("error of the mapper: %v", err)
	}
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %v", err)
	}
}
