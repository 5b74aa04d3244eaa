package engines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "berth/tests/harness"
)

// tool prepares a call of a program that is no runtime.
func tool(x *Test, name string, args ...string) *Cmd {
	cmd := x.Cmd(args...)
	cmd.Path = name
	return cmd
}

// ok runs a prepared call and fails the test unless it exits with 0.
func ok(x *Test, cmd *Cmd) string {
	x.Helper()
	r := cmd.Run()
	if r.Code != 0 {
		x.Fatalf("%s %v", cmd.Path, r)
	}
	return r.Stdout
}

// withTerminal runs a call on a terminal of its own, types, and waits for an answer.
func withTerminal(x *Test, cmd *Cmd, line, answer string) Result {
	x.Helper()
	pty := x.NewPty(30, 90)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Tty = pty.Slave, pty.Slave, pty.Slave, true
	p := cmd.Start()
	pty.WaitFor("#")
	pty.Type(line + "\n")
	pty.WaitFor(answer)
	pty.Type("exit 7\n")
	return p.Wait()
}

// containerd starts a containerd of the test's own and returns a function that
// prepares calls of ctr.
func containerd(x *Test) func(args ...string) *Cmd {
	x.Helper()
	socket := filepath.Join(x.Dir, "c.sock")
	config := x.WriteFile("containerd.toml", `version = 2
root = "`+x.Mkdir("root")+`"
state = "`+x.Mkdir("run")+`"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "`+socket+`"
[ttrpc]
  address = "`+filepath.Join(x.Dir, "t.sock")+`"
`, 0o644)
	tool(x, "containerd", "--config", config).Start()
	ctr := func(args ...string) *Cmd {
		return tool(x, "ctr", append([]string{"--address", socket, "--namespace", "berth-test"}, args...)...)
	}
	x.Until("containerd", func() bool {
		if _, err := os.Stat(socket); err != nil {
			return false
		}
		return ctr("version").Run().Code == 0
	})
	return ctr
}

func TestContainerd(t *testing.T) {
	x := New(t, Root, Serial, Program("containerd"), Program("ctr"), Program("containerd-shim-runc-v2"))
	ctr := containerd(x)
	ok(x, ctr("images", "import", "--snapshotter", "native", ociArchive(x)))
	run := func(flags ...string) []string {
		return append([]string{"run", "--snapshotter", "native", "--runc-binary", Runtime(), "--runc-root", x.Root, "--cgroup", "/" + x.ID}, flags...)
	}

	x.Sub("run", func(y *Test) {
		y.PeerFails("crun", "1.8.1 words it in its own way")
		Equal(y, "stdout", ok(y, ctr(run("--rm", imageName, x.ID+"-a", "echo", "hello")...)), "hello\n")
		y.Code(ctr(run("--rm", imageName, x.ID+"-b", "sh", "-c", "exit 9")...).Run(), 9)
		r := ctr(run("--rm", imageName, x.ID+"-c", "nosuchprogram")...).Run()
		y.Code(r, 1)
		y.Contains("stderr", r.Stderr, "executable file not found in $PATH")
	}, Serial)
	x.Sub("run with a terminal", func(y *Test) {
		y.Code(withTerminal(y, ctr(run("--rm", "-t", imageName, x.ID+"-d", "sh")...), "stty size", "30 90"), 7)
	}, Serial)
	x.Sub("detached", func(y *Test) {
		id := x.ID + "-e"
		ok(y, ctr(run("-d", imageName, id, "sleep", "1000")...))
		task := func(args ...string) *Cmd { return ctr(append([]string{"task"}, args...)...) }
		y.Contains("task ls", ok(y, task("ls")), "RUNNING")
		Equal(y, "exec", ok(y, task("exec", "--exec-id", "one", id, "echo", "inside")), "inside\n")
		y.Code(task("exec", "--exec-id", "two", id, "sh", "-c", "exit 5").Run(), 5)
		y.Code(withTerminal(y, task("exec", "-t", "--exec-id", "three", id, "sh"), "echo $((40+2))", "42"), 7)
		ok(y, task("pause", id))
		y.Contains("task ls", ok(y, task("ls")), "PAUSED")
		ok(y, task("resume", id))
		y.Contains("task ps", ok(y, task("ps", id)), "PID")
		y.Contains("task metrics", ok(y, task("metrics", id)), id)
		ok(y, task("kill", "--signal", "SIGKILL", id))
		y.Until("the task's end", func() bool { return strings.Contains(ok(y, task("ls")), "STOPPED") })
		r := task("delete", id).Run()
		y.Code(r, 0)
		y.Contains("task delete", r.Stderr, "137")
		ok(y, ctr("containers", "delete", id))
		Equal(y, "containers left", ok(y, ctr("containers", "ls", "-q")), "")
	}, Serial)
}

// podman prepares calls with storage, state and configuration of the test's own.
func podman(x *Test) func(args ...string) *Cmd {
	x.Helper()
	conf := x.WriteFile("containers.conf", `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
runtime_supports_json = ["crun", "runc", "berth"]
runtime_supports_nocgroup = ["crun", "berth"]
`, 0o644)
	storage := x.WriteFile("storage.conf", "[storage]\ndriver = \"vfs\"\nrunroot = \""+x.Mkdir("runroot")+"\"\ngraphroot = \""+x.Mkdir("graph")+"\"\n", 0o644)
	env := []string{"CONTAINERS_CONF=" + conf, "CONTAINERS_STORAGE_CONF=" + storage, "HOME=" + x.Mkdir("home"), "XDG_RUNTIME_DIR="}
	return func(args ...string) *Cmd {
		cmd := tool(x, "podman", append([]string{
			"--runtime", Runtime(), "--root", filepath.Join(x.Dir, "graph"), "--runroot", filepath.Join(x.Dir, "runroot"),
			"--tmpdir", x.Mkdir("tmp"), "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file",
		}, args...)...)
		cmd.Env = env
		return cmd
	}
}

func TestPodman(t *testing.T) {
	x := New(t, Root, Serial, Program("podman"), Program("conmon"))
	p := podman(x)
	if r := p("info").Run(); r.Code != 0 {
		t.Skipf("needs a podman that works here: %v", r)
	}
	ok(x, p("load", "--input", ociArchive(x)))
	run := func(flags ...string) *Cmd {
		return p(append([]string{"run", "--network", "none", "--cgroup-parent", "/" + x.ID}, flags...)...)
	}
	x.Cleanup(func() {
		p("rm", "--all", "--force", "--time", "0").Run()
		for _, point := range Cgroups().Points() {
			// podman leaves the parent it was told, and in it those of its conmons.
			RemoveCgroup(filepath.Join(point, x.ID))
		}
	})

	x.Sub("run", func(y *Test) {
		Equal(y, "stdout", ok(y, run("--rm", imageName, "echo", "hello")), "hello\n")
		y.Code(run("--rm", imageName, "sh", "-c", "exit 9").Run(), 9)
		y.Code(run("--rm", imageName, "nosuchprogram").Run(), 127)
		y.Code(run("--rm", imageName, "/etc/group").Run(), 126)
		Equal(y, "memory", strings.TrimSpace(ok(y, run("--rm", "--memory", "64m", "--pids-limit", "50", imageName, "echo", "limited"))), "limited")
	}, Serial)
	x.Sub("run with a terminal", func(y *Test) {
		y.Code(withTerminal(y, run("--rm", "-it", imageName, "sh"), "echo $((40+2))", "42"), 7)
	}, Serial)
	x.Sub("detached", func(y *Test) {
		ok(y, run("-d", "--name", "one", imageName, "sleep", "1000"))
		Equal(y, "exec", ok(y, p("exec", "one", "echo", "inside")), "inside\n")
		y.Code(p("exec", "one", "sh", "-c", "exit 5").Run(), 5)
		y.Code(p("exec", "one", "nosuchprogram").Run(), 127)
		y.Code(withTerminal(y, p("exec", "-it", "one", "sh"), "echo $((40+2))", "42"), 7)
		ok(y, p("pause", "one"))
		Equal(y, "state", ok(y, p("inspect", "--format", "{{.State.Status}}", "one")), "paused\n")
		ok(y, p("unpause", "one"))
		ok(y, p("kill", "one"))
		y.Code(p("wait", "one").Run(), 0)
		Equal(y, "exit code", ok(y, p("inspect", "--format", "{{.State.ExitCode}}", "one")), "137\n")
		ok(y, p("start", "one"))
		ok(y, p("stop", "--time", "0", "one"))
		ok(y, p("rm", "--force", "one"))
		Equal(y, "containers left", ok(y, p("ps", "--all", "--quiet")), "")
	}, Serial)
}
