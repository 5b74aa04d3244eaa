package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"berth/seccomp"
)

//go:embed floor/floor.c
var floorSource []byte

// buildFloor compiles the C floor and the static true that all containers run.
func (h *host) buildFloor() error {
	compiler, err := exec.LookPath("gcc")
	if err != nil {
		h.note = append(h.note, "no gcc: no floor, and busybox is what containers run as true")
		return os.Symlink("busybox", filepath.Join(h.rootfs(), "bin/true"))
	}
	h.floor = filepath.Join(h.base, "floor")
	for _, program := range []struct {
		path   string
		source string
	}{
		{h.floor, string(floorSource)},
		{filepath.Join(h.rootfs(), "bin/true"), "int main(void) { return 0; }\n"},
	} {
		cmd := exec.Command(compiler, "-O2", "-static", "-x", "c", "-o", program.path, "-")
		cmd.Stdin = strings.NewReader(program.source)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("gcc: %w\n%s", err, out)
		}
	}
	return h.prepareFilter()
}

// prepareFilter compiles the profile for the floor, which only loads it.
func (h *host) prepareFilter() error {
	if h.profile == nil {
		return nil
	}
	if !seccomp.Enabled() {
		h.note = append(h.note, "built without libseccomp: the floor loads no filter")
		return nil
	}
	program, err := seccomp.Compile(h.profile)
	if err != nil {
		return err
	}
	h.filter = program.Filter
	return os.WriteFile(filepath.Join(h.base, "filter"), h.filter, 0o600)
}

// floorCommand is the floor's counterpart of run: the same cgroups, limits and mounts.
func (h *host) floorCommand(id string) (*exec.Cmd, error) {
	filter := "-"
	if h.filter != nil {
		filter = filepath.Join(h.base, "filter")
	}
	args := []string{h.rootfs(), filter}
	for _, dir := range h.cgroups {
		var files []string
		write := func(file, value string) {
			if _, err := os.Stat(filepath.Join(dir+parent, file)); err == nil {
				files = append(files, file+"="+strings.TrimSpace(value))
			}
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if value, err := os.ReadFile(filepath.Join(dir+parent, file)); err == nil {
				write(file, string(value))
			}
		}
		write("memory.limit_in_bytes", "268435456")
		write("cpu.shares", "512")
		write("cpu.cfs_quota_us", "100000")
		write("pids.max", "100")
		write("devices.deny", "a")
		write("devices.allow", "c *:* m")
		word := strings.Join(append([]string{dir + parent + "/" + id}, files...), ",")
		if _, err := os.Stat(filepath.Join(dir, "cgroup.controllers")); err == nil {
			word = "2:" + word
		}
		args = append(args, word)
	}
	return exec.Command(h.floor, append(args, "--", "/bin/true")...), nil
}
