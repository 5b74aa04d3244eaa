package rootfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// Each test re-executes the test binary in fresh namespaces and runs there once
// per variant.
const (
	variantEnv = "ROOTFS_TEST_VARIANT"
	// base is covered by a tmpfs in the test's own mount namespace.
	base = "/mnt"

	modern       = "modern" // root, mount API
	legacy       = "legacy" // root, mount(2)
	userns       = "userns" // root of a user namespace, mount API
	usernsLegacy = "userns-legacy"
)

var everyVariant = []string{modern, legacy, userns, usernsLegacy}

// world is what a test inside works with.
type world struct {
	*testing.T
	variant string
	proc    *safepath.Proc // the host's, valid after Enter too
	warned  []string
	// sharedCgroupNS says that the container has no cgroup namespace.
	sharedCgroupNS bool
}

func (w *world) userNS() bool { return strings.HasPrefix(w.variant, "userns") }

// inside runs test in new mount, pid, ipc, net and, by variant, user namespaces.
func inside(t *testing.T, variants []string, test func(w *world)) {
	t.Helper()
	if v := os.Getenv(variantEnv); v != "" {
		runtime.LockOSThread()
		w := &world{T: t, variant: v}
		w.setUp()
		test(w)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("needs root for its namespaces")
	}
	for _, v := range variants {
		t.Run(v, func(t *testing.T) { reexec(t, v) })
	}
}

func reexec(t *testing.T, variant string) {
	name := strings.SplitN(t.Name(), "/", 2)[0]
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), variantEnv+"="+variant)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	if strings.HasPrefix(variant, "userns") {
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}}
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = ids, ids
		cmd.SysProcAttr.GidMappingsEnableSetgroups = true
		cmd.SysProcAttr.Credential = &syscall.Credential{}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if i := strings.Index(string(out), "--- SKIP"); i >= 0 {
		t.Skip(string(out))
	}
}

func (w *world) setUp() {
	w.Helper()
	forceLegacy = strings.HasSuffix(w.variant, "legacy")
	w.must(syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""))
	w.must(syscall.Mount("tmpfs", base, "tmpfs", 0, "mode=755"))
	p, err := safepath.HostProc()
	w.must(err)
	w.proc = p
	for _, d := range []string{"rootfs/etc", "rootfs/tmp", "rootfs/usr/bin", "src/dir/sub", "victim"} {
		w.must(os.MkdirAll(filepath.Join(base, d), 0o755))
	}
	w.write("src/file", "source")
	w.write("victim/file", "precious")
	w.must(syscall.Chmod(base+"/rootfs/tmp", 0o1777))
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// write makes a file below base, or below "/" when path is absolute.
func (w *world) write(path, data string) {
	w.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	w.must(os.MkdirAll(filepath.Dir(path), 0o755))
	w.must(os.WriteFile(path, []byte(data), 0o644))
}

func (w *world) link(text, path string) {
	w.Helper()
	path = filepath.Join(base, path)
	w.must(os.MkdirAll(filepath.Dir(path), 0o755))
	w.must(os.Symlink(text, path))
}

func (w *world) warn(s string) { w.warned = append(w.warned, s) }

func (w *world) prepare(r *wire.Rootfs) (*Root, error) {
	if r.Path == "" {
		r.Path = base + "/rootfs"
	}
	for i := range r.Mounts {
		if r.Mounts[i].FD == 0 {
			r.Mounts[i].FD = -1
		}
	}
	return Prepare(r, Options{UserNS: w.userNS(), CgroupNS: !w.sharedCgroupNS}, w.warn)
}

// enter prepares, enters and finishes r.
func (w *world) enter(r *wire.Rootfs) *Root {
	w.Helper()
	root, err := w.prepare(r)
	w.must(err)
	w.must(root.Enter())
	w.must(root.Finish())
	return root
}

// refused checks that Prepare refuses r as an attack.
func (w *world) refused(r *wire.Rootfs) {
	w.Helper()
	_, err := w.prepare(r)
	if !safepath.IsRefusal(err) {
		w.Errorf("error %v, want a refusal", err)
	}
}

// untouched checks that nothing on the host's side has changed.
func (w *world) untouched() {
	w.Helper()
	entries, err := os.ReadDir(base + "/victim")
	w.must(err)
	if len(entries) != 1 {
		w.Errorf("%d entries in the victim's directory: %v", len(entries), entries)
	}
	if data, err := os.ReadFile(base + "/victim/file"); err != nil || string(data) != "precious" {
		w.Errorf("the victim's file: %q, %v", data, err)
	}
}

// mountEntry is a line of mountinfo.
type mountEntry struct {
	root, point, options, optional, fstype, source, super string
}

func (m *mountEntry) has(opt string) bool {
	return strings.Contains(","+m.options+",", ","+opt+",")
}

func (w *world) mounts() (all []mountEntry) {
	w.Helper()
	fd, err := w.proc.OpenThreadSelf("mountinfo", syscall.O_RDONLY)
	w.must(err)
	defer closeFD(fd)
	table, err := readAll(fd)
	w.must(err)
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		f := strings.Fields(line)
		sep := 6
		for f[sep] != "-" {
			sep++
		}
		super := ""
		if len(f) > sep+3 {
			super = f[sep+3]
		}
		all = append(all, mountEntry{f[3], f[4], f[5], strings.Join(f[6:sep], " "), f[sep+1], f[sep+2], super})
	}
	return all
}

// at returns the topmost mount on point.
func (w *world) at(point string) *mountEntry {
	w.Helper()
	var found *mountEntry
	for _, m := range w.mounts() {
		if m.point == point {
			found = &m
		}
	}
	if found == nil {
		for _, m := range w.mounts() {
			w.Log(m)
		}
		w.Fatalf("nothing is mounted on %s", point)
	}
	return found
}

// expect checks options of the mount on point; "!x" must be absent.
func (w *world) expect(point string, options ...string) *mountEntry {
	w.Helper()
	m := w.at(point)
	for _, o := range options {
		if want := !strings.HasPrefix(o, "!"); m.has(strings.TrimPrefix(o, "!")) != want {
			w.Errorf("%s has %s, want %s", point, m.options, o)
		}
	}
	return m
}

func (w *world) readonly(path string) {
	w.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		w.must(f.Close())
	}
	if !strings.Contains(fmt.Sprint(err), "read-only file system") {
		w.Errorf("open %s for writing: %v, want a read-only file system", path, err)
	}
}

func (w *world) stat(path string) *syscall.Stat_t {
	w.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		w.Fatalf("stat %s: %v", path, err)
	}
	return &st
}

const (
	ro     = linux.MountAttrRdonly
	nosuid = linux.MountAttrNosuid
	nodev  = linux.MountAttrNodev
	noexec = linux.MountAttrNoexec
)

// devices are the default ones.
func devices() (all []wire.Device) {
	for _, d := range []struct {
		path         string
		major, minor uint32
	}{
		{"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7},
		{"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
	} {
		all = append(all, wire.Device{Path: d.path, Mode: syscall.S_IFCHR | 0o666, Major: d.major, Minor: d.minor})
	}
	return all
}

func procMount() wire.Mount {
	return wire.Mount{Destination: "/proc", Type: "proc", Source: "proc", SkipLabel: true}
}

func devMount() wire.Mount {
	return wire.Mount{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Data: "mode=755,size=65536k", AttrSet: nosuid | linux.MountAttrStrictatime}
}

// onOwnThread runs f on a thread whose working directory and root are its own,
// and ends the thread.
func onOwnThread(f func() error) error {
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_FS); err != nil {
		return err
	}
	return f()
}
