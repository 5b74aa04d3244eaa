package integration

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// hookKinds in the order in which they run.
var hookKinds = []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}

// addHook appends a hook of the kind.
func addHook(s *specs.Spec, kind string, hook specs.Hook) {
	if s.Hooks == nil {
		s.Hooks = &specs.Hooks{}
	}
	list := map[string]*[]specs.Hook{
		"prestart":        &s.Hooks.Prestart, //nolint:staticcheck // deprecated, and still to be run
		"createRuntime":   &s.Hooks.CreateRuntime,
		"createContainer": &s.Hooks.CreateContainer,
		"startContainer":  &s.Hooks.StartContainer,
		"poststart":       &s.Hooks.Poststart,
		"poststop":        &s.Hooks.Poststop,
	}[kind]
	*list = append(*list, hook)
}

// shellHook is a hook that runs a script with busybox, of the container's root file
// system for startContainer.
func shellHook(kind, script string) specs.Hook {
	path := Busybox()
	if kind == "startContainer" {
		path = "/bin/busybox"
	}
	return specs.Hook{Path: path, Args: []string{"sh", "-c", script}, Env: []string{"PATH=/bin:/usr/bin", "KIND=" + kind}}
}

// hooked edits in a hook of each kind that writes what it sees to DIR/KIND and its
// kind to DIR/order. DIR is mounted at /hooks for startContainer.
func hooked(dir string) Edit {
	return func(s *specs.Spec) {
		Mounted("/hooks", "bind", dir, "rbind", "rw")(s)
		for _, kind := range hookKinds {
			in := dir
			if kind == "startContainer" {
				in = "/hooks"
			}
			addHook(s, kind, shellHook(kind, fmt.Sprintf(
				"cat > %[1]s/%[2]s.state; echo %[2]s >> %[1]s/order; pwd > %[1]s/%[2]s.pwd; env > %[1]s/%[2]s.env; "+
					"readlink /proc/self/ns/mnt > %[1]s/%[2]s.mnt", in, kind)))
		}
	}
}

func TestHooks(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "1.1.5 runs poststart at create")
	x.PeerFails("crun", "1.8.1 says created to poststart and createContainer")
	dir := x.Mkdir("hooks")
	b := x.Bundle(Args("/bin/probe", "signals"), hooked(dir), func(s *specs.Spec) {
		s.Annotations = map[string]string{"a": "b"}
	})
	c := x.Create(b)
	order := func() string { return strings.Join(strings.Fields(x.ReadFile("hooks/order")), " ") }
	Equal(x, "hooks at create", order(), "prestart createRuntime createContainer")
	x.OK("start", c.ID)
	Equal(x, "hooks at start", order(), "prestart createRuntime createContainer startContainer poststart")
	x.OK("kill", c.ID, "KILL")
	c.WaitStatus("stopped")
	x.OK("delete", c.ID)
	Equal(x, "hooks at delete", order(), strings.Join(hookKinds, " "))

	for _, kind := range hookKinds {
		var s State
		x.JSON(x.ReadFile("hooks/"+kind+".state"), &s)
		Equal(x, kind+": id", s.ID, x.ID)
		Equal(x, kind+": bundle", s.Bundle, b.Dir)
		Equal(x, kind+": annotation", s.Annotations["a"], "b")
		want := map[string]string{
			"prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
			"startContainer": "created", "poststart": "running", "poststop": "stopped",
		}[kind]
		Equal(x, kind+": status", s.Status, want)
		switch kind {
		case "startContainer", "createContainer":
			if s.Pid != 1 && s.Pid != c.Pid {
				x.Errorf("%s: pid %d", kind, s.Pid)
			}
		case "poststop":
		default:
			Equal(x, kind+": pid", s.Pid, c.Pid)
		}
		env := x.ReadFile("hooks/" + kind + ".env")
		x.Contains(kind+": env", env, "KIND="+kind)
		x.ContainsNot(kind+": env of the runtime", env, "BERTH_TEST_ID")
	}
	// Where they run: createContainer inside the container's mount namespace, before
	// pivot_root; startContainer after it.
	host := x.ReadFile("hooks/prestart.mnt")
	Equal(x, "createRuntime in the runtime's mount namespace", x.ReadFile("hooks/createRuntime.mnt"), host)
	Equal(x, "poststart in the runtime's mount namespace", x.ReadFile("hooks/poststart.mnt"), host)
	if x.ReadFile("hooks/createContainer.mnt") == host {
		x.Errorf("createContainer ran in the runtime's mount namespace")
	}
	Equal(x, "startContainer's namespace", x.ReadFile("hooks/startContainer.mnt"), x.ReadFile("hooks/createContainer.mnt"))
	for _, kind := range []string{"prestart", "createRuntime", "poststart", "poststop"} {
		x.Contains(kind+": working directory", "/"+strings.TrimSpace(x.ReadFile("hooks/"+kind+".pwd")), "/")
	}
}

// Several hooks of a kind run in the order of the config.
func TestHookOrderWithinKind(t *testing.T) {
	x := New(t)
	dir := x.Mkdir("hooks")
	b := x.Bundle(func(s *specs.Spec) {
		Mounted("/hooks", "bind", dir, "rbind", "rw")(s)
		for _, kind := range hookKinds {
			for i := range 3 {
				in := dir
				if kind == "startContainer" {
					in = "/hooks"
				}
				addHook(s, kind, shellHook(kind, fmt.Sprintf("echo %s%d >> %s/order", kind, i, in)))
			}
		}
	})
	x.Code(x.Foreground(b), 0)
	got := map[string]string{}
	for word := range strings.FieldsSeq(x.ReadFile("hooks/order")) {
		kind := word[:len(word)-1]
		got[kind] += word[len(word)-1:]
	}
	for _, kind := range hookKinds {
		Equal(x, kind, got[kind], "012")
	}
}

// A hook's args and env are taken as they are, its path is not looked up.
func TestHookArgsAndEnv(t *testing.T) {
	x := New(t)
	out := filepath.Join(x.Dir, "out")
	b := x.Bundle(func(s *specs.Spec) {
		addHook(s, "createRuntime", specs.Hook{
			Path: Busybox(), Args: []string{"sh", "-c", `echo "$0|$1|$A|$B" > ` + out, "zero", "one two"},
			Env: []string{"A=a b", "B="},
		})
	})
	x.Code(x.Foreground(b), 0)
	Equal(x, "hook saw", x.ReadFile(out), "zero|one two|a b|\n")
}

// A failing hook fails the call and takes the container down; only after a
// container's end it is logged, and everything goes on.
// TestHookInheritsEnv: runc and crun let a hook without an environment inherit one,
// and hooks rely on finding PATH there.
func TestHookInheritsEnv(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "before 1.17 a hook that does not read its state ends the container")
	dir := x.Mkdir("hooks")
	b := x.Bundle(func(s *specs.Spec) {
		Mounted("/hooks", "bind", dir, "rbind", "rw")(s)
		s.Process.Env = append(s.Process.Env, "OF_PROCESS=yes")
		for _, kind := range hookKinds {
			in := dir
			if kind == "startContainer" {
				in = "/hooks"
			}
			hook := shellHook(kind, fmt.Sprintf("env > %s/%s", in, kind))
			hook.Env = nil
			addHook(s, kind, hook)
		}
		for kind, in := range map[string]string{"createRuntime": dir, "startContainer": "/hooks"} {
			hook := shellHook(kind, fmt.Sprintf("env > %s/empty-%s", in, kind))
			hook.Env = []string{"EMPTY"}
			addHook(s, kind, hook)
		}
	})
	config := x.ReadFile(filepath.Join(b.Dir, "config.json"))
	b.SaveRaw(regexp.MustCompile(`\[\s*"EMPTY"\s*\]`).ReplaceAllString(config, "[]"))
	c := x.RunCmd(b)
	c.Env = append(c.Env, "OF_CALLER=yes")
	x.Code(c.Run(), 0)
	for _, kind := range hookKinds {
		want := "OF_CALLER=yes"
		switch {
		case kind == "startContainer":
			want = "OF_PROCESS=yes"
		case kind == "createContainer" && !IsBerth():
			continue // which of the two it is, the peers do not agree on
		}
		x.Contains(kind+" hook's environment", x.ReadFile("hooks/"+kind), want)
	}
	x.ContainsNot("environment of a hook that wants none", x.ReadFile("hooks/empty-createRuntime"), "OF_CALLER")
	x.ContainsNot("environment of a startContainer hook that wants none", x.ReadFile("hooks/empty-startContainer"), "OF_PROCESS")
}

func TestFailingHook(t *testing.T) {
	for _, kind := range hookKinds {
		t.Run(kind, func(t *testing.T) {
			x := New(t)
			ran := filepath.Join(x.Dir, "ran")
			b := x.Bundle(Args("/bin/probe", "signals"), func(s *specs.Spec) {
				addHook(s, kind, shellHook(kind, "echo hook says no >&2; exit 9"))
				if kind != "startContainer" {
					addHook(s, kind, shellHook(kind, "touch "+ran))
				}
			})
			switch kind {
			case "prestart", "createRuntime", "createContainer":
				x.Refused(x.Do("create", "--bundle", b.Dir, x.ID), 1, "hook", "exit status 9|status 9")
				x.NothingLeft()
				x.Refused(x.Foreground(b), 1, "hook")
				x.NothingLeft()
			case "startContainer":
				c := x.Create(b)
				x.PeerFails("runc", "1.1.5's start does not learn of it")
				x.PeerFails("crun", "1.8.1's start does not learn of it")
				x.Refused(x.Do("start", c.ID), 1, "hook|exit status 9")
				c.WaitStatus("stopped")
				x.ContainsNot("the process", c.Proc.Out(), "ready")
				x.OK("delete", c.ID)
				x.NothingLeft()
			case "poststart":
				x.PeerFails("runc", "1.1.5 runs it at create, which fails")
				c := x.Create(b)
				// Since version 1.1 of the specification: an error, and the container is stopped.
				x.PeerFails("crun", "1.8.1 logs it, as the specification said before")
				x.Refused(x.Do("start", c.ID), 1, "hook", "exit status 9")
				c.WaitStatus("stopped")
				x.OK("delete", c.ID)
				x.NothingLeft()
			case "poststop":
				c := x.Create(b)
				x.OK("start", c.ID)
				x.OK("kill", c.ID, "KILL")
				c.WaitStatus("stopped")
				x.PeerFails("runc", "1.1.5 stops at the first")
				x.PeerFails("crun", "1.8.1 dies of SIGPIPE when a hook reads nothing")
				x.OK("delete", c.ID)
				x.NothingLeft()
				x.ReadFile(ran) // the second one ran all the same
			}
		})
	}
}

// A hook whose time is over is killed and counts as failed.
func TestHookTimeout(t *testing.T) {
	for _, kind := range []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststop"} {
		t.Run(kind, func(t *testing.T) {
			x := New(t)
			hook := shellHook(kind, "sleep 1000")
			hook.Timeout = Ptr(1)
			b := x.Bundle(func(s *specs.Spec) { addHook(s, kind, hook) })
			before := time.Now()
			r := x.Foreground(b)
			if kind == "poststop" {
				x.Code(r, 0)
			} else {
				x.Refused(r, 1, "hook|timeout|timed out")
			}
			// Not a matter of speed: the hook alone would take a quarter of an hour.
			if time.Since(before) > 10*time.Minute {
				x.Errorf("the hook ran for %v", time.Since(before))
			}
			x.NothingLeft()
		})
	}
}

// A missing hook program is named.
func TestHookMissing(t *testing.T) {
	for _, kind := range []string{"prestart", "createRuntime", "createContainer", "startContainer"} {
		t.Run(kind, func(t *testing.T) {
			x := New(t)
			b := x.Bundle(func(s *specs.Spec) { addHook(s, kind, specs.Hook{Path: "/no/such/hook"}) })
			x.Refused(x.Foreground(b), 1, "/no/such/hook")
			x.NothingLeft()
		})
	}
	t.Run("relative path", func(t *testing.T) {
		x := New(t)
		x.PeerFails("runc", "1.1.5 runs it")
		b := x.Bundle(func(s *specs.Spec) { addHook(s, "createRuntime", specs.Hook{Path: "bin/true"}) })
		x.Refused(x.Foreground(b), 1, "absolute")
	})
}

// A prestart hook can set up the network: it reaches the container's namespaces by
// the pid of the state.
func TestPrestartHookSeesNamespaces(t *testing.T) {
	x := New(t)
	for _, kind := range []string{"prestart", "createRuntime"} {
		x.Sub(kind, func(y *Test) {
			out := filepath.Join(y.Dir, "out")
			b := y.Bundle(Args("/bin/probe", "report"), func(s *specs.Spec) {
				addHook(s, kind, shellHook(kind,
					`pid=$(cat | tr ',' '\n' | grep '"pid"' | tr -dc 0-9); busybox readlink /proc/$pid/ns/net > `+out))
			})
			r := y.Foreground(b)
			y.Code(r, 0)
			var report Report
			y.JSON(r.Stdout, &report)
			Equal(y, "network namespace", strings.TrimSpace(y.ReadFile(out)), report.Namespaces["net"])
		})
	}
}

// A hook that reads nothing, and one whose stdin stays open, are both fine.
func TestHookIgnoresStdin(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 takes the closed pipe for a failure")
	big := strings.Repeat("x", 200_000)
	b := x.Bundle(func(s *specs.Spec) {
		// More than a pipe holds.
		s.Annotations = map[string]string{"big": big}
		for _, kind := range []string{"prestart", "createRuntime", "createContainer", "poststart", "poststop"} {
			addHook(s, kind, shellHook(kind, "exit 0"))
		}
	})
	x.Code(x.Foreground(b), 0)
}
