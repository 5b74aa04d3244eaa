package integration

import (
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// landlocked needs a kernel with Landlock.
var landlocked = Kernel("a kernel with Landlock", func() bool {
	const create, version = 444, 1
	_, _, errno := unix.RawSyscall(create, 0, 0, version)
	return errno == 0
})

func landlock(text string) Edit { return annotated("io.berth.landlock", text) }

const landlockRules = `{
	"ruleset": {"handledAccessFS": ["execute", "read_file", "write_file", "make_reg"]},
	"rules": {"pathBeneath": [
		{"paths": ["/bin", "/proc", "/sys", "/dev"], "allowedAccess": ["execute", "read_file"]},
		{"paths": ["/dev/null"], "allowedAccess": ["write_file"]},
		{"paths": ["/tmp"], "allowedAccess": ["read_file", "write_file", "make_reg"]},
		{"paths": ["/nothere"], "allowedAccess": ["read_file"]}
	]}}`

// The workload and every exec can do what the rules allow and no more, whoever
// they are, with and without no_new_privs and seccomp.
func TestLandlock(t *testing.T) {
	attempts := map[string]string{
		"open:/etc/passwd": "EACCES", "create:/etc/new": "EACCES", "exec:/root/busybox": "EACCES",
		"open:/bin/busybox": "ok", "create:/tmp/new": "ok", "write:/dev/null": "ok", "list:/etc": "ok",
	}
	args := []string{"/bin/probe", "try"}
	for attempt := range attempts {
		args = append(args, attempt)
	}
	for name, edit := range map[string]Edit{
		"plain":        func(*specs.Spec) {},
		"no new privs": func(s *specs.Spec) { s.Process.NoNewPrivileges = true },
		"user":         func(s *specs.Spec) { s.Process.User = specs.User{UID: 1000, GID: 1000} },
		"seccomp": func(s *specs.Spec) {
			// The filter forbids what Landlock is set up with.
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
				Names: []string{"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "openat"}, Action: specs.ActErrno,
				Args: []specs.LinuxSeccompArg{{Index: 5, Value: 12345, Op: specs.OpEqualTo}},
			}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := New(t, Berth, landlocked, IDs)
			b := x.Bundle(Args(args...), landlock(landlockRules), edit)
			x.WriteFile(b.Path("root/busybox"), x.ReadFile(Busybox()), 0o755)
			check := func(what string, r Result) {
				x.Helper()
				x.Code(r, 0)
				var t Tried
				x.JSON(r.Stdout, &t)
				for attempt, want := range attempts {
					if name == "user" && attempt == "create:/etc/new" && t[attempt] == "EACCES" {
						continue
					}
					Equal(x, what+": "+attempt, t[attempt], want)
				}
			}
			check("run", x.Foreground(b))
			b.Save(Args("/bin/probe", "pause"))
			c := x.Create(b)
			c.Start()
			check("exec", c.Exec(args...))
			// What it took to get there is gone.
			r := c.Report()
			if name == "user" {
				Equal(x, "capabilities", r.Status["CapEff"], "0000000000000000")
			} else {
				Equal(x, "capabilities", r.Status["CapEff"], "00000000a80425fb")
			}
		})
	}
}

// An ordinary user's container, which berth sets up without any privilege.
func TestLandlockRootless(t *testing.T) {
	x := New(t, Berth, AsUser, UserNS, landlocked)
	r := x.Foreground(x.Bundle(Args("/bin/probe", "try", "open:/etc/passwd"), landlock(landlockRules)))
	x.Code(r, 0)
	var tried Tried
	x.JSON(r.Stdout, &tried)
	Equal(x, "open /etc/passwd", tried["open:/etc/passwd"], "EACCES")
}

// Strict: what cannot be enforced as it stands is an error.
func TestLandlockRefused(t *testing.T) {
	x := New(t, Berth, landlocked)
	for _, test := range []struct{ text, says string }{
		{`{"ruleset": {"handledAccessFS": ["execute"]}, "rules": {"pathBeneath": [{"paths": ["/nothere"], "allowedAccess": ["execute"]}]}, "disableBestEffort": true}`,
			`landlock: open "/nothere": no such file or directory`},
		{`{"ruleset": {"handledAccessFS": ["execute"]}}`, `exec "/bin/true".*: permission denied`},
		{`{`, `annotations\["io.berth.landlock"\]: unexpected EOF`},
		{`{"rulesets": []}`, `annotations\["io.berth.landlock"\]: json: unknown field "rulesets"`},
		{`{}`, `annotations\["io.berth.landlock"\].ruleset: handles nothing`},
		{`{"ruleset": {"handledAccessFS": ["execute", "fly"]}}`, `ruleset.handledAccessFS\[1\]: "fly" is not an access right of landlock\(7\)`},
		{`{"ruleset": {"scoped": ["signal"]}, "rules": {"pathBeneath": [{"paths": ["/"], "allowedAccess": ["execute"]}]}}`,
			`rules.pathBeneath\[0\].allowedAccess: has to name access rights that the ruleset handles, and no others`},
		{`{"ruleset": {"handledAccessFS": ["execute"]}, "rules": {"pathBeneath": [{"paths": ["bin"], "allowedAccess": ["execute"]}]}}`,
			`rules.pathBeneath\[0\].paths\[0\]: "bin" is not absolute`},
		{`{"ruleset": {"handledAccessNet": ["bind_tcp"]}, "rules": {"netPort": [{"ports": [80, 70000], "allowedAccess": ["bind_tcp"]}]}}`,
			`rules.netPort\[0\].ports\[1\]: 70000 is not a port`},
	} {
		x.Refused(x.Foreground(x.Bundle(landlock(test.text))), 1, test.says)
		x.NothingLeft()
	}
}
