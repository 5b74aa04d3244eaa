package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tool is something that pulls.
type tool struct {
	name string
	// pull returns the commands that bring ref into a store in dir and unpack it.
	pull func(dir, ref string) [][]string
	// again: a second pull into the same store means something.
	again bool
	// daemon starts what the commands talk to; nil: nothing.
	daemon func(dir string) (*exec.Cmd, error)
}

// tools are berth and what is installed.
func tools(berth string) []tool {
	all := []tool{{
		name: "berth", again: true,
		pull: func(dir, ref string) [][]string {
			return [][]string{{berth, "--store", dir + "/store", "pull", "--quiet", ref}}
		},
	}, {
		name: "skopeo + umoci",
		pull: func(dir, ref string) [][]string {
			return [][]string{
				{"skopeo", "copy", "--quiet", "--src-tls-verify=false", "docker://" + ref, "oci:" + dir + "/oci:image"},
				{"umoci", "unpack", "--image", dir + "/oci:image", dir + "/bundle"},
			}
		},
	}, {
		name: "podman", again: true,
		pull: func(dir, ref string) [][]string {
			// It wants a short runroot; the images are not in it.
			return [][]string{{"podman", "--root", dir + "/root", "--runroot", "/run/bench-images", "--storage-driver", "overlay", "pull", "--quiet", "--tls-verify=false", ref}}
		},
	}, {
		name: "containerd", again: true, daemon: startContainerd,
		pull: func(dir, ref string) [][]string {
			return [][]string{{"ctr", "--address", dir + "/socket", "image", "pull", "--plain-http", "--snapshotter", "overlayfs", ref}}
		},
	}}
	var here []tool
	for _, t := range all {
		missing := ""
		for _, command := range t.pull("", "") {
			if _, err := exec.LookPath(command[0]); err != nil {
				missing = command[0]
			}
		}
		if t.daemon != nil {
			if _, err := exec.LookPath(t.name); err != nil {
				missing = t.name
			}
		}
		if missing != "" {
			fmt.Printf("without %s: %s is not installed\n", t.name, missing)
			continue
		}
		here = append(here, t)
	}
	return here
}

// server is a tool's daemon; without one its methods do as little as they can.
type server struct{ cmd *exec.Cmd }

func (t tool) begin(dir string) (server, error) {
	if t.daemon == nil {
		return server{}, nil
	}
	cmd, err := t.daemon(dir)
	return server{cmd}, err
}

func (s server) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(os.Interrupt) // it may be gone
	_ = s.cmd.Wait()                       // interrupted
}

// during runs commands and adds what the daemon did for them.
func (s server) during(commands [][]string) (sample, error) {
	if s.cmd == nil {
		return runAll(commands)
	}
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	out, err := runAll(commands)
	if err != nil {
		return out, err
	}
	after, err := s.cpu()
	if err != nil {
		return out, err
	}
	out.cpu += after - before
	peak, err := s.peak()
	out.memory = max(out.memory, peak)
	return out, err
}

// cpu is what the daemon and the children it waited for have used (proc_pid_stat(5),
// fields 14 to 17, in hundredths of a second on every architecture).
func (s server) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0, errors.New("/proc/PID/stat: too few fields")
	}
	var ticks int64
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// peak is the most memory the daemon had, in bytes.
func (s server) peak() (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "VmHWM:" {
			n, err := strconv.ParseInt(words[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("/proc/PID/status: no VmHWM")
}

// startContainerd runs a daemon with everything below dir.
func startContainerd(dir string) (*exec.Cmd, error) {
	config := filepath.Join(dir, "config.toml")
	err := os.WriteFile(config, fmt.Appendf(nil, `version = 2
root = "%[1]s/root"
state = "%[1]s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "%[1]s/socket"
[ttrpc]
address = "%[1]s/ttrpc"
`, dir), 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("containerd", "--config", config, "--log-level", "error")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var out []byte
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
		if out, err = exec.Command("ctr", "--address", dir+"/socket", "version").CombinedOutput(); err == nil {
			return cmd, nil
		}
	}
	server{cmd}.stop()
	return nil, fmt.Errorf("containerd does not answer: %w: %s", err, out)
}
