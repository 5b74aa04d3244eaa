package overlay

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// inside says where the tests run: "root", in a mount namespace, or "user", as root of
// a user namespace.
var inside = os.Getenv("BERTH_OVERLAY_TEST")

// TestMain runs the tests in namespaces, for they mount.
func TestMain(m *testing.M) {
	if inside != "" {
		os.Exit(m.Run())
	}
	status := 0
	if os.Geteuid() == 0 {
		status = again("root", &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS})
	}
	one := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
	status |= again("user", &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: one(os.Geteuid()), GidMappings: one(os.Getegid()),
	})
	os.Exit(status)
}

func again(where string, attr *syscall.SysProcAttr) int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), "BERTH_OVERLAY_TEST="+where)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = os.Stdout, os.Stderr, attr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		println("SKIP: no namespaces:", err.Error())
	}
	return 0
}

// settings are what the mount needs where the test runs.
func settings() []string {
	if inside == "user" {
		return []string{"userxattr"}
	}
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// layer makes a directory with files, which hold its name.
func layer(t *testing.T, name string, files ...string) *os.File {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	must(t, os.Mkdir(dir, 0o755))
	for _, file := range files {
		must(t, os.WriteFile(filepath.Join(dir, file), []byte(name), 0o644))
	}
	f, err := os.Open(dir)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func read(t *testing.T, root *os.File, name string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/fd/" + strconv.Itoa(int(root.Fd())) + "/" + name)
	must(t, err)
	return string(text)
}

// Names have all the characters that mean something in options.
func TestReadOnly(t *testing.T) {
	before := place(t)
	root, err := Mount(Options{
		Layers:   []*os.File{layer(t, `a:b,c\d=`, "low", "both"), layer(t, `lowerdir=x,\:`, "high", "both")},
		Settings: settings(), Point: t.TempDir(),
	})
	must(t, err)
	for file, want := range map[string]string{"low": `a:b,c\d=`, "high": `lowerdir=x,\:`, "both": `lowerdir=x,\:`} {
		if got := read(t, root, file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	if fd, err := unix.Openat(int(root.Fd()), "new", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644); err != unix.EROFS {
		t.Errorf("create: %d, %v", fd, err)
	}
	must(t, root.Close())
	if after := place(t); after != before {
		t.Errorf("left behind: %s, before %s", after, before)
	}
}

// place is what a mount must not change: mounts and working directory.
func place(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	dir, err := os.Readlink("/proc/self/cwd")
	must(t, err)
	return dir + "\n" + string(mounts)
}

// What is written and removed is in the upper directory alone; it can be attached.
func TestUpper(t *testing.T) {
	low, top := layer(t, "low", "kept", "gone"), t.TempDir()
	o := Options{Layers: []*os.File{low}, Settings: append(settings(), "volatile", "index=off"), Point: t.TempDir()}
	for name, f := range map[string]**os.File{"upper": &o.Upper, "work": &o.Work} {
		must(t, os.Mkdir(filepath.Join(top, name), 0o755))
		opened, err := os.Open(filepath.Join(top, name))
		must(t, err)
		defer opened.Close()
		*f = opened
	}
	root, err := Mount(o)
	must(t, err)
	defer root.Close()
	at, err := os.Open(o.Point)
	must(t, err)
	defer at.Close()
	must(t, linux.MoveMount(int(root.Fd()), int(at.Fd())))
	defer func() { must(t, unix.Unmount(o.Point, unix.MNT_DETACH)) }()
	must(t, unix.Unlinkat(int(root.Fd()), "gone", 0))
	fd, err := unix.Openat(int(root.Fd()), "new", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	must(t, err)
	must(t, unix.Close(fd))
	names, err := filepath.Glob(filepath.Join(top, "upper/*"))
	must(t, err)
	if len(names) != 2 || !strings.HasSuffix(names[0], "gone") || !strings.HasSuffix(names[1], "new") {
		t.Errorf("upper holds %q", names)
	}
	var st unix.Stat_t
	must(t, unix.Lstat(names[0], &st))
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != 0 {
		t.Errorf("no whiteout: %+v", st)
	}
	if read(t, root, "kept") != "low" {
		t.Error("what is below does not show")
	}
}

func TestNoAttributes(t *testing.T) {
	dir := t.TempDir()
	must(t, unix.Mount("ramfs", dir, "ramfs", 0, "")) // which has none
	defer func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) }()
	upper, err := os.Open(dir)
	must(t, err)
	defer upper.Close()
	_, err = Mount(Options{Layers: []*os.File{layer(t, "low")}, Upper: upper, Work: upper, Settings: []string{"userxattr"}, Point: t.TempDir()})
	if !errors.Is(err, syscall.ENOTSUP) || !strings.Contains(err.Error(), "no attributes of users") {
		t.Error(err)
	}
}

func TestMostLayers(t *testing.T) {
	layers := []*os.File{layer(t, "0", "0", "last")}
	dir := t.TempDir()
	for i := 1; i < linux.MaxOverlay-1; i++ {
		name := filepath.Join(dir, strconv.Itoa(i))
		must(t, os.Mkdir(name, 0o755))
		f, err := os.Open(name)
		must(t, err)
		defer f.Close()
		layers = append(layers, f)
	}
	layers = append(layers, layer(t, "499", "499", "last"))
	root, err := Mount(Options{Layers: layers, Settings: settings(), Point: t.TempDir()})
	must(t, err)
	defer root.Close()
	for file, want := range map[string]string{"0": "0", "last": "499", "499": "499"} {
		if got := read(t, root, file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	_, err = Mount(Options{Layers: append(layers, layer(t, "one more")), Settings: settings(), Point: t.TempDir()})
	if !errors.Is(err, syscall.EINVAL) || !strings.HasPrefix(err.Error(), "mount overlay of 501 layers: the kernel stacks 500 at most: ") {
		t.Errorf("501 layers: %v", err)
	}
}

// Many at once do not disturb each other, nor where the process is; also when they
// come from the first thread.
func TestMountsSideBySide(t *testing.T) {
	before := place(t)
	empty := layer(t, "empty")
	layers := make([]*os.File, 40)
	for i := range layers {
		layers[i] = layer(t, strconv.Itoa(i), "f")
	}
	var all sync.WaitGroup
	for i := range layers {
		all.Go(func() {
			root, err := Mount(Options{Layers: []*os.File{empty, layers[i]}, Settings: settings(), Point: empty.Name()})
			if err != nil {
				t.Error(err)
				return
			}
			if got := read(t, root, "f"); got != strconv.Itoa(i) {
				t.Errorf("%q", got)
			}
			if err := root.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if after := place(t); after != before {
		t.Errorf("left behind: %s, before %s", after, before)
	}
}

func TestApart(t *testing.T) {
	cwd, err := os.Getwd()
	must(t, err)
	var threads []int
	for range 20 {
		must(t, apart(func() error {
			threads = append(threads, unix.Gettid())
			return unix.Chdir("/proc")
		}))
	}
	if slices.Contains(threads, os.Getpid()) {
		t.Error("it ran on the first thread")
	}
	if now, err := os.Getwd(); err != nil || now != cwd {
		t.Errorf("the working directory is %s, %v", now, err)
	}
}
