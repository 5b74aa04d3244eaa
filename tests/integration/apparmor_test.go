package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// appArmor needs a kernel that enforces profiles, and the parser that loads them.
func appArmor() Need {
	return Kernel("AppArmor and apparmor_parser", func() bool {
		on, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
		_, missing := exec.LookPath("apparmor_parser")
		return err == nil && strings.TrimSpace(string(on)) == "Y" && missing == nil
	})
}

// loadProfile loads a profile that forbids writing below /tmp/denied, and returns its name.
func loadProfile(x *Test) string {
	x.Helper()
	name := "berth-test-" + x.ID
	file := x.WriteFile("profile", `
profile `+name+` flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  network,
  mount,
  umount,
  signal,
  ptrace,
  unix,
  deny /tmp/denied/** w,
}
`, 0o644)
	parser := func(flag string) {
		if out, err := exec.Command("apparmor_parser", flag, "-K", file).CombinedOutput(); err != nil {
			x.Fatalf("apparmor_parser %s: %v: %s", flag, err, out)
		}
	}
	parser("-r")
	x.Cleanup(func() { parser("-R") })
	return name
}

func confined(profile string) Edit {
	return func(s *specs.Spec) { s.Process.ApparmorProfile = profile }
}

// The profile holds for the container's process, for an exec of it, and for an exec
// alone that asks for it.
func TestAppArmor(t *testing.T) {
	x := New(t, Root, appArmor())
	name := loadProfile(x)
	forbidden := []string{"/bin/sh", "-c", "mkdir -p /tmp/denied; cat /proc/self/attr/current; echo x >/tmp/denied/file || echo no; echo x >/tmp/file && echo yes"}
	want := name + " (enforce)\nno\nyes\n"

	c := x.Up(confined(name))
	Equal(x, "init's profile", x.ReadFile(fmt.Sprintf("/proc/%d/attr/current", c.Pid)), name+" (enforce)\n")
	Equal(x, "an exec", c.ExecOK(forbidden...), want)
	x.OK("delete", "--force", c.ID)

	c = x.Up()
	Equal(x, "init's profile without one", x.ReadFile(fmt.Sprintf("/proc/%d/attr/current", c.Pid)), "unconfined\n")
	r := c.ExecCmd([]string{"--apparmor", name}, forbidden...).Run()
	x.Code(r, 0)
	Equal(x, "exec --apparmor", r.Stdout, want)
	x.Refused(c.ExecCmd([]string{"--apparmor", "berth-no-such"}, "/bin/true").Run(), 255, "berth-no-such")
}

// A profile that is not loaded is no reason to run without one.
func TestAppArmorUnknown(t *testing.T) {
	x := New(t, Root, appArmor())
	x.Refused(x.Foreground(x.Bundle(confined("berth-no-such"))), 1, "(?i)apparmor.*berth-no-such")
	x.NothingLeft()
}
