package image

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"berth/internal/accounts"
)

// world is who calls berth, with a store and a root directory of its own.
type world struct {
	*testing.T
	name string
	uid  int
	dir  string
	// id is for containers: cgroups are the host's.
	id string
	// one says that all files belong to one id.
	one bool
}

func runtimePath(t *testing.T) string {
	t.Helper()
	path := os.Getenv("BERTH_RUNTIME")
	if path == "" {
		path = "../../bin/berth"
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs a runtime (run make):", err)
	}
	if out, err := exec.Command(path, "image-commands").CombinedOutput(); err != nil {
		t.Skipf("%s has no image side: %s", path, out)
	}
	return path
}

// everybody runs a test as each kind of user.
func everybody(t *testing.T, test func(w *world)) {
	t.Helper()
	runtimePath(t)
	for _, w := range worlds() {
		t.Run(w.name, func(t *testing.T) {
			w.T = t
			w.settle()
			test(&w)
		})
	}
}

func worlds() []world {
	if uid := os.Geteuid(); uid != 0 {
		return []world{{name: "user", uid: uid, one: !hasRange(uid)}}
	}
	const nobodys = 54321
	list := []world{{name: "root"}, {name: "user with one id", uid: nobodys, one: true}}
	for uid := 1; uid < 65534; uid++ {
		if hasRange(uid) {
			return append(list, world{name: "user with a range", uid: uid})
		}
	}
	return list
}

func hasRange(uid int) bool {
	name := accounts.UserName(uid)
	if name == "" || len(accounts.SubordinateRanges("/etc/subuid", uid, name)) == 0 || len(accounts.SubordinateRanges("/etc/subgid", uid, name)) == 0 {
		return false
	}
	_, err := exec.LookPath("newuidmap")
	return err == nil
}

// settle makes the world's directory, which is not that of the test: a user has to
// reach it.
func (w *world) settle() {
	w.Helper()
	dir, err := os.MkdirTemp("", "berth-image-")
	if err != nil {
		w.Fatal(err)
	}
	w.dir, w.id = dir, filepath.Base(dir)
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(dir+"/home", 0o755), os.Chown(dir+"/home", w.uid, w.uid)); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if left := w.left(); len(left) > 0 {
			w.Errorf("left in the store: %s", left)
		}
		if err := os.RemoveAll(dir); err != nil {
			w.berth("discard", dir+"/home")
			if err := os.RemoveAll(dir); err != nil {
				w.Error(err)
			}
		}
	})
}

// left are the containers' directories in the store.
func (w *world) left() []string {
	var names []string
	entries, err := os.ReadDir(w.dir + "/home/store/containers")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.Error(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// result is the end of a call.
type result struct {
	code        int
	out, errors string
}

func (w *world) command(args ...string) *exec.Cmd {
	w.Helper()
	cmd := exec.Command(runtimePath(w.T), append([]string{"--root", w.dir + "/home/state", "--store", w.dir + "/home/store"}, args...)...)
	cmd.Dir = w.dir + "/home"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "XDG_RUNTIME_DIR=" + cmd.Dir, "BERTH_TEST_SECRET=of the host"}
	if w.uid != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(w.uid), Gid: uint32(w.uid)}}
	}
	return cmd
}

// berth calls the runtime.
func (w *world) berth(args ...string) result {
	w.Helper()
	cmd := w.command(args...)
	// Files: a container that is created keeps what it was given open.
	out, errOut := w.output(), w.output()
	defer out.Close()
	defer errOut.Close()
	cmd.Stdout, cmd.Stderr = out, errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.Fatal(err)
	}
	r := result{cmd.ProcessState.ExitCode(), w.read(out), w.read(errOut)}
	if strings.Contains(r.errors, "make a user namespace") {
		w.Skip("this host lets no user make a user namespace: " + r.errors)
	}
	return r
}

func (w *world) output() *os.File {
	w.Helper()
	f, err := os.CreateTemp(w.dir, "output")
	if err != nil {
		w.Fatal(err)
	}
	return f
}

func (w *world) read(f *os.File) string {
	w.Helper()
	text, err := os.ReadFile(f.Name())
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// ok calls the runtime and wants success and silence on stderr; it returns stdout.
func (w *world) ok(args ...string) string {
	w.Helper()
	r := w.berth(args...)
	if r.code != 0 || r.errors != "" {
		w.Fatalf("berth %s: status %d, %s%s", strings.Join(args, " "), r.code, r.out, r.errors)
	}
	return r.out
}

// fails calls the runtime and wants an error that says want; nothing else is on stderr
// but a hint.
func (w *world) fails(want string, args ...string) {
	w.Helper()
	r := w.berth(args...)
	first, rest, _ := strings.Cut(r.errors, "\n")
	if r.code == 0 || !strings.HasPrefix(first, "berth: ") || !strings.Contains(first, want) || rest != "" && !strings.HasPrefix(rest, "hint: ") {
		w.Errorf("berth %s: status %d, %s%s, want %q", strings.Join(args, " "), r.code, r.out, r.errors, want)
	}
}

// is compares what a container prints.
func (w *world) is(got, want string) {
	w.Helper()
	if strings.TrimSpace(got) != want {
		w.Errorf("got %q, want %q", got, want)
	}
}

// mounts are the mount points of this process's namespace.
func mounts(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var points []string
	for line := range strings.Lines(string(text)) {
		points = append(points, strings.Fields(line)[4])
	}
	return fmt.Sprint(points)
}
