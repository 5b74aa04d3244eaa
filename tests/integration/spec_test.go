package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// template makes a bundle whose config.json is berth's own. The template is
// interactive, the test is not, and the test's cgroups have a place.
func template(x *Test, edit Edit, flags ...string) *Bundle {
	x.Helper()
	b := x.Bundle()
	path := filepath.Join(b.Dir, "config.json")
	x.Must(os.Remove(path))
	x.Own(b.Dir)
	x.OK(append([]string{"spec", "--bundle", b.Dir}, flags...)...)
	b.Spec = new(specs.Spec)
	x.JSON(x.ReadFile(path), b.Spec)
	b.Spec.Process.Terminal = false
	if !x.Rootless {
		b.Spec.Linux.CgroupsPath = x.DefaultSpec(x.ID).Linux.CgroupsPath
	}
	x.Must(os.Remove(path))
	b.Save(edit)
	return b
}

// What spec --rootless writes runs, for a user to whom no cgroup is delegated, and
// can be entered.
func TestSpecRootless(t *testing.T) {
	x := New(t, Berth, AsUser, UserNS)
	c := x.Create(template(x, Args("/bin/probe", "pause"), "--rootless"))
	c.Start()
	seen := map[string]Mount{} // the last on each point is what one sees
	mounts, err := ReadMounts(fmt.Sprintf("/proc/%d/mountinfo", c.Pid))
	x.Must(err)
	for _, m := range mounts {
		if strings.HasPrefix(m.Type, "cgroup") {
			seen[m.Point] = m
		}
	}
	if len(seen) == 0 {
		x.Errorf("no cgroups are mounted")
	}
	for _, m := range seen {
		if !strings.Contains(","+m.Options+",", ",ro,") {
			x.Errorf("writable: %+v", m)
		}
	}
	Equal(x, "uid inside", c.ExecOK("id", "-u"), "0\n")
	x.OK("ps", "--format", "json", c.ID)
	x.OK("kill", c.ID)
	c.WaitStatus("stopped")
	x.OK("delete", c.ID)
	x.NothingLeft()
}

func TestSpecWishes(t *testing.T) {
	x := New(t, Berth)
	if x.Rootless {
		x.Skip("limits need root")
	}
	x.WriteFile(filepath.Join(x.Mkdir("shown"), "file"), "hello", 0o644)
	b := template(x, func(*specs.Spec) {},
		"--args", `sh -c "echo \"$A\"; cat /in/file; touch /in/new 2>&1; grep Seccomp: /proc/self/status; cat /proc/net/dev | wc -l"`,
		"--env", "A=1,2 3", "--bind", filepath.Join(x.Dir, "shown")+":/in:ro", "--memory", "64m", "--cpus", "0.5",
		"--net", "none", "--seccomp", "default")
	Equal(x, "memory", *b.Spec.Linux.Resources.Memory.Limit, 64<<20)
	Equal(x, "quota", *b.Spec.Linux.Resources.CPU.Quota, 50000)
	r := x.Foreground(b)
	Equal(x, "output", r.Stdout, "1,2 3\nhellotouch: /in/new: Read-only file system\nSeccomp:\t2\n3\n")

	host := template(x, func(*specs.Spec) {}, "--args", "readlink /proc/self/ns/net", "--net", "host")
	net, err := os.Readlink("/proc/self/ns/net")
	x.Must(err)
	Equal(x, "network namespace", strings.TrimSpace(x.Foreground(host).Stdout), net)
}

// A user namespace with the caller as its root, for root and for users.
func TestSpecUserns(t *testing.T) {
	for name, need := range map[string]Need{"user": AsUser, "root": Root} {
		t.Run(name, func(t *testing.T) {
			x := New(t, Berth, UserNS, need)
			b := template(x, Shell("cat /proc/self/uid_map; ls -d /sys/class/net"), "--userns", "auto", "--net", "host")
			r := x.Foreground(b)
			fields := strings.Fields(r.Stdout)
			if len(fields) < 4 || fields[0] != "0" || fields[1] != strconv.Itoa(x.UID()) || fields[2] != "1" {
				x.Errorf("%v", r)
			}
		})
	}
}

func TestSpecRefusals(t *testing.T) {
	x := New(t, Berth)
	for flags, want := range map[string]string{
		"--memory lots":       `--memory "lots": not a size`,
		"--memory -1":         `--memory "-1": not a size`,
		"--cpus NaN":          `--cpus "NaN": not a number of CPUs`,
		"--net bridge":        `network "bridge" is not host or none`,
		"--seccomp strict":    `--seccomp "strict": not default or none`,
		"--userns host":       `--userns "host": not auto`,
		"--env A":             `"A" is not KEY=VALUE`,
		"--bind /a":           `"/a": not SOURCE:DESTINATION`,
		"--bind /a:b":         `"/a:b": not SOURCE:DESTINATION`,
		"--bind /a:/b:rro,xx": `"xx" is no option`,
		"--args '":            `a quote is not closed`,
	} {
		x.Refused(x.Do(append([]string{"spec", "--file", "-"}, strings.Fields(flags)...)...), 1, want)
	}
}
