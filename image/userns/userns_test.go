package userns

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"berth/internal/accounts"
	"berth/internal/idmap"

	"golang.org/x/sys/unix"
)

// actAsProgram makes the test binary a program that enters, and says where it is.
const actAsProgram = "BERTH_TEST_USERNS"

func TestMain(m *testing.M) {
	if os.Getenv(actAsProgram) != "" {
		os.Exit(program())
	}
	os.Exit(m.Run())
}

func program() int {
	args, err := Begin(os.Args)
	if err == nil {
		fd := -1
		if len(args) > 1 {
			fd, _ = strconv.Atoi(strings.TrimPrefix(args[1], "--kept="))
		}
		err = Enter(Options{Mounts: true, Keep: []FD{{"kept", fd}}, Note: func(s string) { fmt.Println("note:", s) }})
		if err == nil {
			return report(args, fd)
		}
	}
	var ended Ended
	if errors.As(err, &ended) {
		return int(ended)
	}
	fmt.Println("error:", err)
	return 1
}

// report prints what the program may do where it has come to.
func report(args []string, fd int) int {
	uids, err := os.ReadFile("/proc/self/uid_map")
	fmt.Println("uids:", strings.Fields(string(uids)), err, "euid:", os.Geteuid(), "inside:", idmap.Inside(), "single:", Single())
	fmt.Println("mount:", unix.Mount("tmpfs", "/mnt", "tmpfs", 0, ""))
	kept := os.NewFile(uintptr(fd), "kept")
	text, err := io.ReadAll(kept)
	fmt.Printf("kept: %q %v\n", text, err)
	if len(args) > 2 && args[2] == "signal" {
		fmt.Println("death:", syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	return 7
}

// run calls the program as a user, and returns its output and exit status.
func run(t *testing.T, uid int, words ...string) (string, int) {
	t.Helper()
	dir, err := os.MkdirTemp("", "userns")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(dir+"/program", text, 0o755), os.WriteFile(dir+"/kept", []byte("words"), 0o644)); err != nil {
		t.Fatal(err)
	}
	kept, err := os.Open(dir + "/kept")
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	// Number 5, so that it moves.
	cmd := exec.Command(filepath.Join(dir, "program"), append([]string{"--kept=5"}, words...)...)
	cmd.Dir, cmd.Env = "/", []string{actAsProgram + "=1", "PATH=" + os.Getenv("PATH")}
	cmd.ExtraFiles = []*os.File{nil, nil, kept}
	if os.Geteuid() == 0 && uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "error: make a user namespace") {
		t.Skipf("this host lets no user make a user namespace: %s", out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	out, code := run(t, 0)
	if code != 7 || !strings.Contains(out, "mount: <nil>") || !strings.Contains(out, `kept: "words" <nil>`) || strings.Contains(out, "note:") {
		t.Errorf("%d: %s", code, out)
	}
	var st unix.Statfs_t
	if err := unix.Statfs("/mnt", &st); err != nil || st.Type == unix.TMPFS_MAGIC {
		t.Error("the mount is in the caller's namespace")
	}
}

func TestUserWithOneID(t *testing.T) {
	uid := 54321 // nobody has it
	if os.Geteuid() != 0 {
		uid = os.Geteuid()
		if uids, _ := idmap.OfCaller(); len(uids) > 1 {
			t.Skip("this user has subordinate ids")
		}
	}
	out, code := run(t, uid)
	want := fmt.Sprintf("uids: [0 %d 1] <nil> euid: 0 inside: true single: true", uid)
	if code != 7 || !strings.Contains(out, want) || !strings.Contains(out, "mount: <nil>") || !strings.Contains(out, `kept: "words" <nil>`) || strings.Count(out, "note:") != 1 {
		t.Errorf("%d: %s", code, out)
	}
	// How the child ends is how the program ends.
	if out, code := run(t, uid, "signal"); code != 128+9 {
		t.Errorf("%d: %s", code, out)
	}
}

func TestUserWithRange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become a user that has one")
	}
	for _, helper := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(helper); err != nil {
			t.Skip("needs " + helper)
		}
	}
	for uid := 1; uid < 65534; uid++ {
		name := accounts.UserName(uid)
		if name == "" {
			continue
		}
		u := accounts.SubordinateRanges("/etc/subuid", uid, name)
		if g := accounts.SubordinateRanges("/etc/subgid", uid, name); len(u) != 1 || len(g) != 1 {
			continue
		}
		out, code := run(t, uid)
		if strings.Contains(out, "open of uid_map failed") {
			t.Skip(out)
		}
		if code != 7 || !strings.Contains(out, fmt.Sprintf("[0 %d 1 1 %d %d]", uid, u[0].First, u[0].Size)) || strings.Contains(out, "note:") {
			t.Errorf("%d: %s", code, out)
		}
		return
	}
	t.Skip("no user of this host has subordinate ids")
}
