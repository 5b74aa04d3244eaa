package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// inside says in the environment that this is the run in its own mount namespace.
	inside = "BERTH_BENCH_INSIDE"
	parent = "/berth-bench"
	hybrid = "/sys/fs/cgroup/unified"
)

//go:embed config.json
var dockerLike []byte

// host is the prepared machine: a tmpfs with a bundle and a state root per runtime.
type host struct {
	base     string
	runtimes []contender
	hidden   bool // the cgroup2 mount of a hybrid host, which crun refuses
	cgroups  []string
	filter   []byte
	floor    string
	note     []string
	profile  json.RawMessage
	alive    int
}

// inMountNamespace runs the program once more, where its mounts reach nobody.
func inMountNamespace() error {
	dir, err := os.MkdirTemp("", "berth-bench")
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	err = cmd.Run()
	return errors.Join(err, os.Remove(dir))
}

func newHost(runtimes []contender, o options) (*host, error) {
	h := &host{base: os.Getenv(inside), runtimes: runtimes}
	if err := unix.Mount("berth-bench", h.base, "tmpfs", 0, "mode=0755"); err != nil {
		return nil, fmt.Errorf("mount tmpfs on %s: %w", h.base, err)
	}
	// Containers whose runtime has exited become our children: their CPU counts.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	if unix.Unmount(hybrid, 0) == nil {
		h.hidden = true
	}
	if o.filter != "" {
		profile, err := os.ReadFile(o.filter)
		if err != nil {
			return nil, err
		}
		h.profile = profile
	}
	if err := h.addMounts(o.mounts); err != nil {
		return nil, err
	}
	if err := h.makeCgroups(); err != nil {
		return nil, err
	}
	return h, errors.Join(h.makeRootfs(), h.buildFloor())
}

// close removes what the benchmark made; the mounts go with their namespace.
func (h *host) close() {
	for _, r := range h.runtimes {
		for i := range h.alive {
			// What does not go is named by the rmdir below.
			_ = h.command(r, "delete", "--force", aliveID(i)).Run()
		}
	}
	for _, dir := range h.cgroups {
		if err := removeCgroups(dir + parent); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
}

func removeCgroups(dir string) error {
	children, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, child := range children {
		if child.IsDir() {
			if err := removeCgroups(filepath.Join(dir, child.Name())); err != nil {
				return err
			}
		}
	}
	return unix.Rmdir(dir)
}

func (h *host) describe() {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err == nil {
		fmt.Printf("Linux %s, %d cores, %d cgroup hierarchies", unix.ByteSliceToString(uts.Release[:]), runtime.NumCPU(), len(h.cgroups))
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		fmt.Printf(", %d mounts", strings.Count(string(mounts), "\n"))
	}
	fmt.Println()
	for _, r := range h.runtimes {
		fmt.Printf("%-6s %s (%s)\n", r.name, r.path, r.version)
	}
	if h.hidden {
		fmt.Println("the cgroup v2 mount of this hybrid host is hidden from all of them: crun refuses to run beside it")
	}
	for _, note := range h.note {
		fmt.Println(note)
	}
}

// addMounts makes a busy host: n more mounts in the caller's mount namespace.
func (h *host) addMounts(n int) error {
	dir := filepath.Join(h.base, "mounts")
	for i := range n {
		target := filepath.Join(dir, strconv.Itoa(i))
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(target, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %d of %d: %w", i, n, err)
		}
	}
	return nil
}

// makeCgroups finds the hierarchies and makes a parent for all containers, so that
// none of them pays for making it.
func (h *host) makeCgroups() error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) > 4 && len(kind) > 0 && strings.HasPrefix(kind[0], "cgroup") && strings.HasPrefix(fields[4], "/sys/fs/cgroup") {
			h.cgroups = append(h.cgroups, fields[4])
		}
	}
	for _, dir := range h.cgroups {
		if err := os.MkdirAll(dir+parent, 0o755); err != nil {
			return err
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir+parent, file), value, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *host) rootfs() string { return filepath.Join(h.base, "rootfs") }

// makeRootfs makes the one root file system, with a static true and busybox.
func (h *host) makeRootfs() error {
	for _, dir := range []string{"bin", "dev", "proc", "sys", "tmp", "etc"} {
		if err := os.MkdirAll(filepath.Join(h.rootfs(), dir), 0o755); err != nil {
			return err
		}
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	data, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(h.rootfs(), "bin/busybox"), data, 0o755); err != nil {
		return err
	}
	return os.Symlink("busybox", filepath.Join(h.rootfs(), "bin/sleep"))
}

// bundle writes a bundle for a container and returns its directory.
func (h *host) bundle(id string, edit func(config map[string]any), args ...string) (string, error) {
	var config map[string]any
	if err := json.Unmarshal(dockerLike, &config); err != nil {
		return "", err
	}
	linux, process := section(config, "linux"), section(config, "process")
	linux["cgroupsPath"] = parent + "/" + id
	if h.profile != nil {
		linux["seccomp"] = h.profile
	}
	process["args"] = args
	section(config, "root")["path"] = h.rootfs()
	if edit != nil {
		edit(config)
	}
	text, err := json.Marshal(config)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(h.base, "bundles", id)
	return dir, errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644))
}

// section is an object of the configuration; config.json of this package has it.
func section(config map[string]any, name string) map[string]any {
	object, ok := config[name].(map[string]any)
	if !ok {
		panic("config.json has no object " + name)
	}
	return object
}

// command is a call of a runtime, with its state root on the tmpfs.
func (h *host) command(r contender, args ...string) *exec.Cmd {
	return exec.Command(r.path, append([]string{"--root", filepath.Join(h.base, "state-"+r.name)}, args...)...)
}
