package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

func TestListJSON(t *testing.T) {
	x := New(t)
	r := x.OK("list", "--format", "json")
	var none []State
	x.JSON(r.Stdout, &none)
	Equal(x, "containers in an empty root", len(none), 0)
	a := x.Up()
	b := x.CreateAs(x.NewID(), x.BundleFor("second"))
	r = x.OK("list", "--format", "json")
	var list []State
	x.JSON(r.Stdout, &list)
	slices.SortFunc(list, func(p, q State) int { return strings.Compare(p.ID, q.ID) })
	if len(list) != 2 {
		x.Fatalf("list: %s", r.Stdout)
	}
	for i, want := range []struct {
		c      *Container
		status string
	}{{a, "running"}, {b, "created"}} {
		Equal(x, "id", list[i].ID, want.c.ID)
		Equal(x, "status", list[i].Status, want.status)
		Equal(x, "pid", list[i].Pid, want.c.Pid)
		Equal(x, "bundle", list[i].Bundle, want.c.Bundle.Dir)
		if list[i].Created.IsZero() || time.Since(list[i].Created) > time.Hour {
			x.Errorf("created: %v", list[i].Created)
		}
		if list[i].Owner == nil {
			x.Errorf("no owner: %s", r.Stdout)
		}
	}
	Equal(x, "lines", strings.Count(strings.TrimSpace(r.Stdout), "\n") == 0 || RuntimeName() == "crun", true)
}

func TestListTable(t *testing.T) {
	x := New(t)
	header := x.OK("list").Stdout
	for _, word := range []string{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"} {
		x.Contains("header", strings.Fields(header + " ")[0]+" "+header, word)
	}
	c := x.Up()
	lines := strings.Split(strings.TrimSpace(x.OK("list", "-f", "table").Stdout), "\n")
	if len(lines) != 2 {
		x.Fatalf("list: %q", lines)
	}
	fields := strings.Fields(lines[1])
	if len(fields) < 6 {
		x.Fatalf("list: %q", lines[1])
	}
	Equal(x, "id", fields[0], c.ID)
	Equal(x, "pid", fields[1], fmt.Sprint(c.Pid))
	Equal(x, "status", fields[2], "running")
	Equal(x, "bundle", fields[3], c.Bundle.Dir)
	if x.UID() == 0 {
		Equal(x, "owner", fields[5], "root")
	}
	for _, flag := range []string{"-q", "--quiet"} {
		Equal(x, "quiet list", x.OK("list", flag).Stdout, c.ID+"\n")
	}
}

// Things in the root that are no containers do not disturb a list.
func TestListIgnoresStrangers(t *testing.T) {
	x := New(t)
	c := x.Up()
	x.WriteFile("state/afile", "", 0o644)
	x.Mkdir("state/anemptydirectory")
	r := x.OK("list", "--quiet")
	Equal(x, "list", r.Stdout, c.ID+"\n")
}

// A root that does not exist yet has no containers.
func TestListWithoutRoot(t *testing.T) {
	x := New(t)
	cmd := x.Cmd("list", "-q")
	cmd.NoRoot = true
	cmd.Globals = []string{"--root", filepath.Join(x.Dir, "not/yet")}
	r := cmd.Run()
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "")
}

func TestPs(t *testing.T) {
	x := New(t, Cgroup("freezer"))
	c := x.Up()
	r := x.OK("ps", "--format", "json", c.ID)
	Equal(x, "stderr", r.Stderr, "")
	var pids []int
	x.JSON(r.Stdout, &pids)
	Same(x, "pids", pids, []int{c.Pid})
	file := filepath.Join(x.Dir, "exec.pid")
	x.Code(c.ExecCmd([]string{"-d", "--pid-file", file}, "/bin/sleep", "100").Run(), 0)
	var second int
	_, err := fmt.Sscan(x.ReadFile(file), &second)
	x.Must(err)
	x.JSON(x.OK("ps", "-f", "json", c.ID).Stdout, &pids)
	want := []int{c.Pid, second}
	slices.Sort(pids)
	slices.Sort(want)
	Same(x, "pids with an exec", pids, want)
}

// The table is that of the host's ps, reduced to the container's processes.
func TestPsTable(t *testing.T) {
	x := New(t, Cgroup("freezer"), Program("ps"))
	x.PeerFails("crun", "1.8.1 prints pids only")
	c := x.Up()
	lines := strings.Split(strings.TrimSpace(x.OK("ps", c.ID).Stdout), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "PID") || !strings.Contains(lines[1], "probe pause") {
		x.Errorf("ps: %q", lines)
	}
	// Arguments for ps may follow.
	out := x.OK("ps", c.ID, "-o", "pid,args").Stdout
	x.Contains("ps -o", out, fmt.Sprint(c.Pid))
	x.ContainsNot("ps -o", out, "UID")
}

// A small host has no ps: the table is berth's own then, and a command line cannot
// command the terminal it is shown on.
func TestPsTableOfOurOwn(t *testing.T) {
	x := New(t, Cgroup("freezer"))
	x.PeerFails("runc", "it needs the host's ps")
	x.PeerFails("crun", "1.8.1 prints pids only")
	c := x.Up(Args("/bin/probe", "pause", "\x1b]0;title\a"))
	cmd := x.Cmd("ps", c.ID)
	cmd.Env = []string{"PATH=" + x.Dir}
	r := cmd.Run()
	x.Code(r, 0)
	lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
	Same(x, "lines", len(lines), 2)
	Same(x, "columns", strings.Fields(lines[0]), []string{"UID", "PID", "PPID", "CMD"})
	Equal(x, "pid", strings.Fields(lines[1])[1], fmt.Sprint(c.Pid))
	x.Contains("command", lines[1], "probe pause ?]0;title?")
	cmd = x.Cmd("ps", c.ID, "aux")
	cmd.Env = []string{"PATH=" + x.Dir}
	r = cmd.Run()
	x.Code(r, 1)
	x.Contains("stderr", r.Stderr, "ps aux: ")
	x.Contains("stderr", r.Stderr, "hint: install ps on the host")
}

func TestSpec(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 leaves the mappings to run")
	dir := x.Mkdir("bundle")
	cmd := x.Cmd("spec")
	cmd.Dir = dir
	x.Code(cmd.Run(), 0)
	var s specs.Spec
	x.JSON(x.ReadFile("bundle/config.json"), &s)
	if s.Version == "" || s.Root == nil || s.Process == nil || s.Linux == nil || len(s.Mounts) == 0 {
		x.Errorf("spec wrote %s", x.ReadFile("bundle/config.json"))
	}
	Equal(x, "root.path", s.Root.Path, "rootfs")
	Equal(x, "root.readonly", s.Root.Readonly, true)
	Same(x, "args", s.Process.Args, []string{"sh"})
	Equal(x, "terminal", s.Process.Terminal, true)

	// It does not write over an existing file.
	cmd = x.Cmd("spec")
	cmd.Dir = dir
	r := cmd.Run()
	x.Refused(r, 1, "config.json.*exist|exist.*config.json")

	other := x.Mkdir("other")
	x.OK("spec", "--bundle", other, "--rootless")
	var rootless specs.Spec
	x.JSON(x.ReadFile("other/config.json"), &rootless)
	if len(rootless.Linux.UIDMappings) != 1 || rootless.Linux.UIDMappings[0].HostID != uint32(x.UID()) {
		x.Errorf("spec --rootless maps %v", rootless.Linux.UIDMappings)
	}
}

// What spec writes is a bundle that runs, as root and rootless.
func TestSpecRuns(t *testing.T) {
	x := New(t)
	b := x.Bundle()
	x.Must(os.Remove(filepath.Join(b.Dir, "config.json")))
	args := []string{"spec", "--bundle", b.Dir}
	if x.Rootless {
		args = append(args, "--rootless")
	}
	x.OK(args...)
	var s specs.Spec
	x.JSON(x.ReadFile(filepath.Join(b.Dir, "config.json")), &s)
	s.Process.Terminal = false
	s.Process.Args = []string{"sh", "-c", "echo $$ $(hostname)"}
	if RuntimeName() != "berth" {
		// The peers' templates ask for a NOFILE limit above what this host may allow.
		s.Process.Rlimits = nil
	}
	b.Spec = &s
	b.Save()
	r := x.Foreground(b)
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "1 "+s.Hostname+"\n")
}

func TestFeatures(t *testing.T) {
	x := New(t, Not("crun", "1.8.1 has no features verb"))
	cmd := x.Cmd("features")
	cmd.NoRoot = true
	r := cmd.Run()
	x.Code(r, 0)
	Equal(x, "stderr", r.Stderr, "")
	var f features.Features
	x.JSON(r.Stdout, &f)
	if f.OCIVersionMin == "" || f.OCIVersionMax == "" {
		x.Errorf("features has no versions: %s", r.Stdout)
	}
	for _, hook := range []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"} {
		if !slices.Contains(f.Hooks, hook) {
			x.Errorf("features lacks hook %s", hook)
		}
	}
	for _, option := range []string{"ro", "rro", "rbind", "nosuid", "tmpcopyup", "private", "rshared"} {
		if !slices.Contains(f.MountOptions, option) {
			x.Errorf("features lacks mount option %s", option)
		}
	}
	yes := func(b *bool) bool { return b != nil && *b }
	if f.Linux == nil || f.Linux.Cgroup == nil || !yes(f.Linux.Cgroup.V1) || !yes(f.Linux.Cgroup.V2) || !yes(f.Linux.Cgroup.Systemd) ||
		!slices.Contains(f.Linux.Namespaces, "user") || !slices.Contains(f.Linux.Capabilities, "CAP_SYS_ADMIN") {
		x.Errorf("features: %s", r.Stdout)
	}
}

func TestVersion(t *testing.T) {
	x := New(t)
	for _, flag := range []string{"--version", "-v"} {
		cmd := x.Cmd(flag)
		cmd.NoRoot = true
		r := cmd.Run()
		x.Code(r, 0)
		first, _, _ := strings.Cut(r.Stdout, "\n")
		x.Contains("first line", first, RuntimeName()+" version ")
		x.Contains("version", r.Stdout, "commit: ")
		x.Contains("version", r.Stdout, "spec: ")
	}
}

func TestHelp(t *testing.T) {
	x := New(t, Not("crun", "its help is of another form"))
	for _, args := range [][]string{{"--help"}, {"help"}, {}} {
		cmd := x.Cmd(args...)
		cmd.NoRoot = true
		r := cmd.Run()
		x.Code(r, 0)
		for _, verb := range []string{"create", "start", "state", "kill", "delete", "run", "exec", "ps", "list", "pause", "resume", "spec", "features"} {
			x.Contains("help", r.Stdout, "   "+verb+" ")
		}
	}
	for verb, flags := range map[string]string{
		"create": "--bundle --console-socket --pid-file --no-pivot --no-new-keyring --preserve-fds",
		"run":    "--bundle --console-socket --pid-file --no-pivot --no-new-keyring --preserve-fds --detach --keep",
		"start":  "", "state": "", "pause": "", "resume": "",
		"kill":   "",
		"delete": "--force",
		"exec": "--console-socket --cwd --env --tty --user --additional-gids --process --detach --pid-file " +
			"--process-label --apparmor --no-new-privs --cap --preserve-fds --cgroup --ignore-paused",
		"list": "--format --quiet",
		"ps":   "--format",
		"spec": "--bundle --rootless",
	} {
		r := x.OK(verb, "--help")
		Equal(x, "stderr of "+verb+" --help", r.Stderr, "")
		x.Contains("help", r.Stdout, verb)
		for flag := range strings.FieldsSeq(flags) {
			x.Contains("help of "+verb, r.Stdout, flag)
		}
		if IsBerth() && (verb == "create" || verb == "run" || verb == "exec") {
			x.Contains("help of "+verb, r.Stdout, "--pidfd-socket")
		}
	}
}

// logLine is one line of a JSON log, as engines decode it.
type logLine struct {
	Level, Msg string
	Time       time.Time
}

// An error is one line in the log, the same sentence as on stderr, appended.
func TestLogJSON(t *testing.T) {
	x := New(t)
	log := filepath.Join(x.Dir, "log.json")
	fail := func(args ...string) Result {
		cmd := x.Cmd(args...)
		cmd.Globals = []string{"--log", log, "--log-format", "json"}
		return cmd.Run()
	}
	r := fail("state", "nosuch")
	x.Refused(r, 1, "does not exist")
	lines := logLines(x, log)
	if len(lines) != 1 {
		x.Fatalf("log: %s", x.ReadFile(log))
	}
	Equal(x, "level", lines[0].Level, "error")
	if lines[0].Time.IsZero() {
		x.Errorf("log has no time: %s", x.ReadFile(log))
	}
	x.Contains("stderr", r.Says(), lines[0].Msg)

	b := x.Bundle(Args("nosuchprogram"))
	x.Refused(fail("run", "--bundle", b.Dir, x.ID), 1, "executable file not found")
	lines = logLines(x, log)
	var errors []string
	for _, line := range lines {
		if line.Level == "error" {
			errors = append(errors, line.Msg)
		}
	}
	if len(errors) != 2 {
		x.Errorf("two calls made %d error lines: %s", len(errors), x.ReadFile(log))
	}
	if IsBerth() {
		Equal(x, "lines of two failed calls", len(lines), 2)
	}
}

func logLines(x *Test, path string) []logLine {
	x.Helper()
	var lines []logLine
	for line := range strings.Lines(x.ReadFile(path)) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			x.Fatalf("log line %q: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// Success writes nothing: engines pass the stderr of a create on as the container's.
func TestSilence(t *testing.T) {
	x := New(t)
	log := filepath.Join(x.Dir, "log")
	run := func(args ...string) {
		x.Helper()
		cmd := x.Cmd(args...)
		cmd.Globals = []string{"--log", log}
		r := cmd.Run()
		x.Code(r, 0)
		Equal(x, args[0]+" writes", r.Stdout+r.Stderr, "")
	}
	b := x.Bundle(Args("/bin/probe", "signals"))
	run("create", "--bundle", b.Dir, x.ID)
	run("start", x.ID)
	run("kill", x.ID, "0")
	run("exec", x.ID, "/bin/true")
	run("kill", x.ID, "KILL")
	x.Until("stopped", func() bool { return x.State(x.ID).Status == "stopped" })
	run("delete", x.ID)
	if text, err := os.ReadFile(log); err == nil && len(text) > 0 {
		x.Errorf("a life without errors logs %q", text)
	}
}

// Global flags stand before the verb in any order.
func TestGlobalFlags(t *testing.T) {
	x := New(t)
	c := x.Up()
	for _, globals := range [][]string{
		{"--root", x.Root, "--log", "/dev/null", "--log-format", "json"},
		{"--log-format", "json", "--log", "/dev/null", "--root", x.Root},
		{"--log=/dev/null", "--root=" + x.Root, "--log-format=text"},
		{"--debug", "--log", "/dev/null", "--root", x.Root},
		{"--rootless", "auto", "--root", x.Root},
		{"--rootless=false", "--root", x.Root},
		{"--cgroup-manager", "cgroupfs", "--root", x.Root},
	} {
		if RuntimeName() == "runc" && globals[0] == "--cgroup-manager" || RuntimeName() == "crun" && globals[0] == "--rootless=false" {
			continue // a flag the peer has not
		}
		cmd := x.Cmd("state", c.ID)
		cmd.NoRoot = true
		cmd.Globals = globals
		r := cmd.Run()
		x.Code(r, 0)
	}
}

// go-runc calls restore with -no-subreaper: one dash is enough for a long flag.
func TestSingleDash(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "it takes argp's flags only")
	r := x.RunCmd(x.Bundle(), "-no-subreaper").Run()
	x.Code(r, 0)
}

// The default root: /run/NAME for root, $XDG_RUNTIME_DIR/NAME for others; an empty
// XDG_RUNTIME_DIR counts as unset.
func TestDefaultRoot(t *testing.T) {
	x := New(t)
	b := x.Bundle(Args("/bin/probe", "pause"))
	run := func(env []string, args ...string) Result {
		cmd := x.Cmd(args...)
		cmd.NoRoot = true
		cmd.Env = env
		return cmd.Run()
	}
	envs := [][]string{{"XDG_RUNTIME_DIR="}, nil}
	if x.UID() != 0 {
		envs = [][]string{{"XDG_RUNTIME_DIR=" + x.Mkdir("run")}}
	}
	for _, env := range envs {
		x.Code(run(env, "create", "--bundle", b.Dir, x.ID), 0)
		dir := filepath.Join("/run", RuntimeName(), x.ID)
		if x.UID() != 0 {
			dir = filepath.Join(x.Dir, "run", RuntimeName(), x.ID)
		}
		_, err := os.Stat(dir)
		r := run(env, "delete", "--force", x.ID)
		x.Must(err)
		x.Code(r, 0)
		if _, err := os.Stat(dir); err == nil {
			x.Errorf("%s is still there", dir)
		}
	}
}
