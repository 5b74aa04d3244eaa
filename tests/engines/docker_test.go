package engines

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "berth/tests/harness"
)

// dockerd starts a Docker daemon of the test's own, with berth as its runtime and without
// networks, and returns a function that prepares calls of docker.
func dockerd(x *Test) func(args ...string) *Cmd {
	x.Helper()
	socket := "unix://" + filepath.Join(x.Dir, "d.sock")
	docker := func(args ...string) *Cmd {
		cmd := tool(x, "docker", append([]string{"--host", socket}, args...)...)
		cmd.Env = []string{"HOME=" + x.Dir}
		return cmd
	}
	// The daemon keeps a key there, wherever its data is.
	const keys = "/etc/docker"
	_, err := os.Stat(keys)
	fresh := errors.Is(err, fs.ErrNotExist)
	daemon := tool(x, "unshare", "--mount", "sh", "-ec", `mkdir -p `+keys+`; mount -t tmpfs keys `+keys+`; exec dockerd "$@"`, "dockerd",
		"--host", socket, "--add-runtime", "tested="+Runtime(), "--default-runtime", "tested",
		"--data-root", x.Mkdir("data"), "--exec-root", x.Mkdir("exec"), "--pidfile", filepath.Join(x.Dir, "d.pid"),
		"--storage-driver", "vfs", "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", "/"+x.ID,
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false").Start()
	x.Cleanup(func() {
		docker("rm", "--force", "one").Run() // if a test has left it
		daemon.Signal(syscall.SIGTERM)       // which ends its containerd, too
		daemon.Wait()
		if fresh {
			x.Must(os.Remove(keys))
		}
		for _, point := range Cgroups().Points() {
			RemoveCgroup(filepath.Join(point, x.ID))
		}
	})
	ended := func() bool { return errors.Is(syscall.Kill(daemon.Pid(), 0), syscall.ESRCH) }
	x.Until("dockerd", func() bool { return ended() || docker("version").Run().Code == 0 })
	if ended() {
		x.Skipf("needs a dockerd that works here: %v", daemon.Wait())
	}
	return docker
}

func TestDocker(t *testing.T) {
	x := New(t, Root, Serial, Program("dockerd"), Program("docker"), Program("containerd"))
	d := dockerd(x)
	root := filepath.Join(x.Dir, "root.tar")
	x.Must(os.WriteFile(root, rootTar(x), 0o644))
	ok(x, d("import", "--change", "ENV PATH=/bin", root, imageName))
	run := func(flags ...string) *Cmd {
		return d(append([]string{"run", "--network", "none"}, flags...)...)
	}

	x.Sub("run", func(y *Test) {
		Equal(y, "stdout", ok(y, run("--rm", imageName, "echo", "hello")), "hello\n")
		y.Code(run("--rm", imageName, "sh", "-c", "exit 9").Run(), 9)
		y.Code(run("--rm", imageName, "nosuchprogram").Run(), 127)
		y.Code(run("--rm", imageName, "/etc/group").Run(), 126)
		Equal(y, "user and groups", ok(y, run("--rm", "--user", "7:8", "--group-add", "9", imageName, "id")), "uid=7 gid=8 groups=8,9\n")
		y.Code(run("--rm", "--read-only", "--tmpfs", "/run:size=1m", "--memory", "64m", "--cpus", "0.5", imageName, "true").Run(), 0)
	}, Serial)
	x.Sub("privileged", func(y *Test) {
		y.PeerFails("runc", "1.1.5 fails if root lacks a capability itself")
		y.Code(run("--rm", "--privileged", imageName, "true").Run(), 0)
	}, Serial)
	x.Sub("run with a terminal", func(y *Test) {
		y.Code(withTerminal(y, run("--rm", "-it", imageName, "sh"), "echo $((40+2))", "42"), 7)
	}, Serial)
	x.Sub("detached", func(y *Test) {
		state := func(field string) string {
			return strings.TrimSpace(ok(y, d("inspect", "--format", "{{.State."+field+"}}", "one")))
		}
		ok(y, run("-d", "--name", "one", "--memory", "64m", imageName, "sleep", "1000"))
		Equal(y, "exec", ok(y, d("exec", "one", "echo", "inside")), "inside\n")
		y.Code(d("exec", "one", "sh", "-c", "exit 5").Run(), 5)
		y.Code(withTerminal(y, d("exec", "-it", "one", "sh"), "echo $((40+2))", "42"), 7)
		y.Contains("top", ok(y, d("top", "one")), "sleep 1000")
		ok(y, d("stats", "--no-stream", "one"))
		ok(y, d("pause", "one"))
		Equal(y, "state", state("Status"), "paused")
		ok(y, d("unpause", "one"))
		ok(y, d("update", "--memory", "80m", "--memory-swap", "160m", "--cpus", "0.3", "one"))
		Equal(y, "neighbour in its namespaces", strings.Count(ok(y, run("--rm", "--pid", "container:one", "--ipc", "host", imageName, "ps")), "sleep 1000"), 1)
		ok(y, d("kill", "one"))
		y.Until("its end", func() bool { return state("Status") == "exited" })
		Equal(y, "exit code", state("ExitCode"), "137")
		ok(y, d("start", "one"))
		ok(y, d("restart", "--time", "0", "one"))
		ok(y, d("rm", "--force", "one"))
		Equal(y, "containers left", ok(y, d("ps", "--all", "--quiet")), "")
	}, Serial)
}
