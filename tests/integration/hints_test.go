package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// What cannot be executed, why, and what --posix-exit makes of it.
func TestHintsAndPosixExit(t *testing.T) {
	x := New(t, Berth)
	b := x.Bundle()
	for name, content := range map[string]string{
		"crlf": "#!/bin/sh\r\necho\r\n", "lost": "#!/bin/nothing\n", "plain": "echo hi\n",
		"loader": elfWithLoader("/lib/ld-nowhere.so.1"),
	} {
		x.WriteFile(b.Path("bin/"+name), content, 0o755)
	}
	x.WriteFile(b.Path("bin/data"), "data", 0o644)
	for name, c := range map[string]struct {
		code int
		hint string
	}{
		"/bin/crlf":   {126, "dos2unix"},
		"/bin/lost":   {126, "interpreter of the script"},
		"/bin/plain":  {126, "#!/bin/sh"},
		"/bin/loader": {126, "another C library"},
		"/bin/data":   {126, "chmod +x"},
		"/bin":        {126, ""},
		"/bin/none":   {127, ""},
		"none":        {127, "PATH of process.env"},
	} {
		b.Save(Args(name))
		r := x.Foreground(b)
		x.Refused(r, 1)
		if hint := hintIn(r); !strings.Contains(hint, c.hint) || (hint != "") != (c.hint != "") {
			x.Errorf("%s: hint %q, want %q: %v", name, hint, c.hint, r)
		}
		cmd := x.RunCmd(b)
		cmd.Globals = []string{"--posix-exit"}
		x.Refused(cmd.Run(), c.code)
		x.NothingLeft()
	}
	up := x.UpAs(x.NewID())
	exec := up.ExecCmd(nil, "/bin/none")
	x.Refused(exec.Run(), 255)
	exec = up.ExecCmd(nil, "/bin/none")
	exec.Globals = []string{"--posix-exit"}
	x.Refused(exec.Run(), 127)
	// Other errors keep their status.
	cmd := x.Cmd("state", "none")
	cmd.Globals = []string{"--posix-exit"}
	x.Refused(cmd.Run(), 1)
}

func hintIn(r Result) string {
	for line := range strings.Lines(r.Stderr) {
		if hint, ok := strings.CutPrefix(line, "hint: "); ok {
			return strings.TrimSpace(hint)
		}
	}
	return ""
}

// elfWithLoader is busybox as far as the kernel looks at it, but for the loader.
func elfWithLoader(loader string) string {
	data, err := os.ReadFile("/bin/sh") // dynamic on any distribution
	if err != nil {
		return ""
	}
	for _, known := range []string{"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1"} {
		if i := strings.Index(string(data), known); i >= 0 && len(loader) <= len(known) {
			copy(data[i:], loader+"\x00")
		}
	}
	return string(data)
}

func TestHintNoexec(t *testing.T) {
	x := New(t, Berth)
	b := x.Bundle(Args("/mnt/true"), Mounted("/mnt", "bind", filepath.Join(x.Dir, "programs"), "rbind", "noexec"))
	x.Mkdir("programs")
	data, err := os.ReadFile(Busybox())
	x.Must(err)
	x.WriteFile("programs/true", string(data), 0o755)
	r := x.Foreground(b)
	x.Refused(r, 1, "noexec")
	if !strings.Contains(hintIn(r), "without noexec") {
		x.Errorf("%v", r)
	}
}

// A user without the helpers is told what to install.
func TestHintNoHelper(t *testing.T) {
	x := New(t, Berth, AsUser, UserNS)
	b := x.Bundle(func(s *specs.Spec) {
		s.Linux.UIDMappings = append(s.Linux.UIDMappings, specs.LinuxIDMapping{ContainerID: 1, HostID: 100000, Size: 10})
	})
	cmd := x.RunCmd(b)
	cmd.Env = []string{"PATH=/nowhere"}
	r := cmd.Run()
	x.Refused(r, 1, "newuidmap is needed to map more than one id without privileges: not in PATH")
	if !strings.Contains(hintIn(r), "uidmap") {
		x.Errorf("%v", r)
	}
	x.NothingLeft()
}

func TestHintController(t *testing.T) {
	x := New(t, Berth, Root)
	if Cgroups().Has("rdma") {
		x.Skip("the host has the rdma controller")
	}
	r := x.Foreground(x.Bundle(func(s *specs.Spec) {
		s.Linux.Resources.Rdma = map[string]specs.LinuxRdma{"mlx5_0": {HcaHandles: Ptr(uint32(1))}}
	}))
	x.Refused(r, 1, "rdma")
	if !strings.Contains(hintIn(r), "berth info") {
		x.Errorf("%v", r)
	}
}

func TestHintOOM(t *testing.T) {
	x := New(t, Berth, Cgroup("memory"))
	r := x.Foreground(x.Bundle(func(s *specs.Spec) {
		s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: Ptr(int64(16 << 10))}
	}))
	x.Refused(r, 1, "out of memory")
	if !strings.Contains(hintIn(r), "linux.resources.memory.limit") {
		x.Errorf("%v", r)
	}
}
