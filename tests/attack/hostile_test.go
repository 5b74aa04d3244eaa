package attack

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ownCopy makes the call use a copy of the runtime, for attacks on the binary.
func ownCopy(x *Test) (path string, sum func() string) {
	x.Helper()
	data, err := os.ReadFile(Runtime())
	x.Must(err)
	path = filepath.Join(x.Mkdir("bin"), filepath.Base(Runtime()))
	x.Must(os.WriteFile(path, data, 0o755))
	return path, func() string {
		data, err := os.ReadFile(path)
		x.Must(err)
		return fmt.Sprintf("%x", sha256.Sum256(data))
	}
}

// CVE-2019-5736: the container makes the runtime execute itself inside, and writes
// to the binary through /proc/PID/exe.
func TestOverwriteBinary(t *testing.T) {
	x := New(t, Root)
	binary, sum := ownCopy(x)
	before := sum()
	// The container has every capability that engines' privileged mode gives.
	privileged := func(s *specs.Spec) {
		list := []string{"CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_CHOWN"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: list, Effective: list, Permitted: list}
		s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, nil
	}
	call := func(args ...string) Result {
		cmd := x.Cmd()
		cmd.Path, cmd.Args = binary, append([]string{"--root", x.Root}, args...)
		return cmd.Run()
	}

	// An entrypoint, and a library it would load, that is the runtime itself.
	b := x.Bundle(Args("/entry"), privileged)
	b.OwnPrograms()
	x.WriteFile(b.Path("entry"), "#!/proc/self/exe\n", 0o755)
	call("run", "--bundle", b.Dir, x.ID)
	x.Must(os.Remove(b.Path("entry")))
	x.Must(os.Symlink("/proc/self/exe", b.Path("entry")))
	call("run", "--bundle", b.Dir, x.ID)
	Equal(x, "the binary after entrypoints", sum(), before)

	// A process inside that writes to every foreign exe it can open, while the host
	// runs execs of a program that is the runtime itself.
	b.Save(Args("/bin/probe", "snoop", "3000", "write"))
	x.WriteFile(b.Path("bin/again"), "#!/proc/self/exe\n", 0o755)
	pidFile := filepath.Join(x.Dir, "pid")
	out := filepath.Join(x.Dir, "snoop.out")
	f, err := os.Create(out)
	x.Must(err)
	cmd := x.Cmd()
	cmd.Path, cmd.Args, cmd.Stdout = binary, []string{"--root", x.Root, "create", "--bundle", b.Dir, "--pid-file", pidFile, x.ID}, f
	x.Code(cmd.Run(), 0)
	call("start", x.ID)
	x.Until("the snoop", func() bool { return strings.Contains(x.ReadFile(out), "ready") })
	for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); {
		call("exec", x.ID, "/bin/again")
		call("exec", x.ID, "/bin/true")
	}
	x.Until("the end of the snoop", func() bool { return strings.Contains(x.ReadFile(out), "]") })
	x.Logf("seen from inside: %s", strings.TrimSpace(x.ReadFile(out)))
	Equal(x, "the binary after execs", sum(), before)
	x.Must(f.Close())
}

// CVE-2016-9962: a container with CAP_SYS_PTRACE looks at the descriptors of every
// process that enters it, before it becomes the command.
func TestSnoopDescriptorsOfExec(t *testing.T) {
	x := New(t, Root)
	x.PeerFails("runc", "1.1.5's process shows a descriptor of / before the exec")
	x.PeerFails("crun", "1.8.1 lets one be seen at times")
	leak, err := os.Open("/etc")
	x.Must(err)
	defer func() { _ = leak.Close() }()
	c := x.Create(x.Bundle(Args("/bin/probe", "snoop", "4000"), func(s *specs.Spec) {
		list := []string{"CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: list, Effective: list, Permitted: list}
	}))
	x.OK("start", c.ID)
	c.WaitOut("ready")
	n := 0
	for end := time.Now().Add(3500 * time.Millisecond); time.Now().Before(end); n++ {
		cmd := c.ExecCmd(nil, "/bin/true")
		cmd.ExtraFiles = []*os.File{leak}
		cmd.Run()
	}
	c.WaitOut("]")
	_, list, _ := strings.Cut(c.Proc.Out(), "ready\n")
	var found []string
	x.JSON(list, &found)
	for _, what := range found {
		// Anonymous things of the entering process are of no use, nor is the container's
		// own file that is going to be executed; files and directories of the host, and
		// the runtime's binary, are.
		if link, ok := strings.CutPrefix(what, "fd "); ok && strings.HasPrefix(link, "/") && link != "/dev/null" && link != "/bin/busybox" && !strings.HasPrefix(link, "/proc/") &&
			!strings.Contains(link, "memfd:") && !strings.HasPrefix(link, x.Dir+"/out.") && !strings.HasPrefix(link, x.Dir+"/err.") {
			x.Errorf("seen from inside during %d execs: %s", n, what)
		}
	}
	x.Logf("%d execs, seen from inside: %q", n, found)
}

// CVE-2021-30465, CVE-2024-45310, CVE-2025-31133: while the runtime mounts, a
// container that shares a volume swaps directories for links.
func TestMountRace(t *testing.T) {
	x := New(t, Root)
	marker := x.Mkdir("marker")
	x.WriteFile("marker/host-file", "host", 0o644)
	volume := x.Mkdir("volume")
	x.Mkdir("volume/real")
	x.Must(os.Symlink(marker, filepath.Join(volume, "fake")))
	before := fingerprint(x, marker)

	// The racer works from outside; what matters is the state of the volume.
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		there, fake := filepath.Join(volume, "real"), filepath.Join(volume, "fake")
		for {
			select {
			case <-stop:
				return
			default:
				// Fails only when the runtime put something there at this moment.
				_ = unix.Renameat2(unix.AT_FDCWD, there, unix.AT_FDCWD, fake, unix.RENAME_EXCHANGE)
			}
		}
	}()
	source := x.Mkdir("source")
	x.WriteFile("source/inside", "x", 0o644)
	b := x.Bundle(
		Mounted("/volume", "bind", volume, "rbind", "rw"),
		Mounted("/volume/real", "bind", source, "bind", "rw"),
		Mounted("/volume/real/new/dir", "tmpfs", "tmpfs"),
		Mounted("/volume/real/new2/file", "bind", filepath.Join(source, "inside"), "bind"),
		Args("/bin/probe", "try", "read:/volume/real/host-file", "read:/volume/fake/host-file", "list:"+marker, "create:/volume/real/escaped"),
		func(s *specs.Spec) { s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/volume/real/masked") },
	)
	through := 0
	for range 60 {
		r := x.Foreground(b)
		if r.Code != 0 {
			continue
		}
		through++
		var tried Tried
		x.JSON(r.Stdout, &tried)
		for _, what := range []string{"read:/volume/real/host-file", "read:/volume/fake/host-file"} {
			if tried[what] == "ok" {
				x.Errorf("the container reads the host's file: %s", what)
			}
		}
	}
	close(stop)
	<-done
	untouched(x, marker, before)
	x.Logf("%d of 60 runs went through", through)
}

// CVE-2025-52881 and T6 for exec: label and score writes of an entering process
// meet a hostile /proc.
func TestExecWithHostileProc(t *testing.T) {
	x := New(t, Root)
	c := x.Up(func(s *specs.Spec) {
		list := append([]string{"CAP_SYS_ADMIN"}, s.Process.Capabilities.Bounding...)
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: list, Effective: list, Permitted: list}
	})
	// The container's root covers /proc with a directory of its own.
	for _, script := range []string{
		"mkdir -p /tmp/proc/self /tmp/proc/thread-self/attr /tmp/proc/self/fd && echo x > /tmp/proc/self/oom_score_adj",
		"mount -o bind /tmp/proc /proc",
	} {
		c.ExecOK("/bin/sh", "-c", script)
	}
	dir, before := victim(x)
	x.Must(os.Symlink(filepath.Join(dir, "secret"), c.Bundle.Path("tmp/proc/thread-self/attr/exec")))
	r := c.Exec("/bin/echo", "hello")
	// Refused or done right.
	if r.Code == 0 {
		Equal(x, "stdout", r.Stdout, "hello\n")
	}
	untouched(x, dir, before)
	// The verbs outside do not depend on what is mounted inside.
	Equal(x, "status", c.State().Status, "running")
	x.OK("kill", c.ID, "KILL")
	c.WaitStatus("stopped")
	x.OK("delete", c.ID)
}

// runc#5351: exec --cgroup into a sibling with the same prefix.
func TestExecCgroupSibling(t *testing.T) {
	x := New(t, Cgroup("memory"), Not("crun", "1.8.1 means another thing by --cgroup"))
	x.PeerFails("runc", "1.1.5 checks the prefix of the path only (runc#5351)")
	c := x.Up()
	sibling := x.CgroupDir(c.Pid, "memory") + "-suffix"
	x.Must(os.Mkdir(sibling, 0o755))
	defer func() { x.Must(os.Remove(sibling)) }()
	hierarchy := "memory:"
	if Cgroups().Unified() {
		hierarchy = ""
	}
	r := c.ExecCmd([]string{"--cgroup", hierarchy + "../" + filepath.Base(sibling)}, "/bin/true").Run()
	if r.Code == 0 {
		x.Errorf("%v: want an error", r)
	}
}

// What a container names in its own files is never run or believed by the host:
// passwd and group of an image, of any size.
func TestHostileUserFiles(t *testing.T) {
	x := New(t, Root)
	b := x.Bundle(Args("/bin/probe", "report"), func(s *specs.Spec) {
		s.Process.User = specs.User{UID: 1000, GID: 1000}
		s.Process.Env = []string{"PATH=/bin"}
	})
	x.Must(os.Remove(b.Path("etc/passwd")))
	x.Must(unix.Mkfifo(b.Path("etc/passwd"), 0o644))
	x.Must(os.Remove(b.Path("etc/group")))
	x.Must(os.Symlink("/dev/zero", b.Path("etc/group")))
	x.PeerFails("runc", "1.1.5 waits for the fifo's writer")
	x.PeerFails("crun", "1.8.1 waits for the fifo's writer")
	p := x.RunCmd(b).Start()
	x.Until("the end of run, in spite of a fifo for passwd", func() bool { return !p.Running() })
	r := p.Wait()
	if r.Code == 0 {
		var report Report
		x.JSON(r.Stdout, &report)
		Equal(x, "uid", report.UID, 1000)
	}
}

// A device for passwd: the runtime, which no device rules bind, does not open what root
// of the container has made. 60:1 has no driver, so that open(2) would answer ENXIO.
func TestExecWithDeviceForPasswd(t *testing.T) {
	x := New(t, Root)
	c := x.Up()
	for _, kind := range []uint32{unix.S_IFCHR, unix.S_IFBLK} {
		x.Must(os.RemoveAll(c.Bundle.Path("etc/passwd")))
		x.Must(unix.Mknod(c.Bundle.Path("etc/passwd"), kind|0o666, int(unix.Mkdev(60, 1))))
		r := c.ExecCmd([]string{"--user", "web"}, "/bin/true").Run()
		if r.Code == 0 || strings.Contains(r.Stderr, "no such device") {
			x.Errorf("%#o: %v", kind, r)
		}
	}
}

// A passwd without an end: read in bounds.
func TestEndlessPasswd(t *testing.T) {
	x := New(t, Root)
	b := x.Bundle(func(s *specs.Spec) { s.Process.Env = []string{"PATH=/bin"} })
	x.Must(os.Truncate(b.Path("etc/passwd"), 2<<30))
	x.PeerFails("runc", "1.1.5 reads it line by line, at length")
	x.PeerFails("crun", "1.8.1 reads it line by line, at length")
	p := x.RunCmd(b).Start()
	x.Until("the end of run, in spite of 2 GiB of passwd", func() bool { return !p.Running() })
	x.Code(p.Wait(), 0)
}
