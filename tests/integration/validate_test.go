package integration

import (
	"os"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

type finding struct{ Kind, Path, Message string }

func TestValidate(t *testing.T) {
	x := New(t, Berth)
	b := x.Bundle()
	r := x.OK("validate", "--bundle", b.Dir)
	Equal(x, "output", r.Stdout, "valid\n")
	Equal(x, "errors", r.Stderr, "")

	b.Save(func(s *specs.Spec) {
		s.Process.Cwd = "relative"
		s.Process.Args = nil
		s.Process.User.Username = "windows"
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Type: "bind", Source: "/no/where"})
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "nosuch"})
	})
	text := x.ReadFile(b.Dir + "/config.json")
	b.SaveRaw(strings.Replace(text, "{", `{"typo": true,`, 1))
	r = x.Do("validate", "--bundle", b.Dir, "--format", "json")
	Equal(x, "exit status", r.Code, 1)
	Equal(x, "stderr", r.Stderr, "")
	var out struct {
		Valid    bool
		Findings []finding
	}
	x.JSON(r.Stdout, &out)
	Equal(x, "valid", out.Valid, false)
	got := map[string]string{}
	for _, f := range out.Findings {
		got[f.Path] = f.Kind
	}
	for path, kind := range map[string]string{
		"process.cwd": "invalid", "process.args": "invalid", "mounts[6]": "unsupported",
		"process.user.username": "ignored", "typo": "ignored",
	} {
		Equal(x, path, got[path], kind)
	}
	lines := strings.Split(strings.TrimSpace(x.Do("validate", "--bundle", b.Dir).Stdout), "\n")
	Equal(x, "lines", len(lines), len(out.Findings))
	if !strings.HasPrefix(lines[0], "invalid: ") || !strings.HasPrefix(lines[len(lines)-1], "ignored: ") {
		x.Errorf("%q", lines)
	}
	x.NothingLeft()
}

func TestValidateText(t *testing.T) {
	x := New(t, Berth)
	b := x.Bundle()
	b.SaveRaw(`{"ociVersion": "1.0.2", "process": {"args": "sh"}}`)
	r := x.Do("validate", "--bundle", b.Dir)
	Equal(x, "exit status", r.Code, 1)
	Equal(x, "output", r.Stdout, "invalid: config.json:1:45: process.args: expected an array, found a string\n")
	x.Must(os.Remove(b.Dir + "/config.json"))
	x.Refused(x.Do("validate", "--bundle", b.Dir), 1, "no such file or directory")
}

// What cgroup controllers and the seccomp compiler refuse is found, too.
func TestValidateHost(t *testing.T) {
	x := New(t, Berth, Root)
	b := x.Bundle(func(s *specs.Spec) {
		s.Linux.Resources.Rdma = map[string]specs.LinuxRdma{"mlx5_0": {HcaHandles: Ptr(uint32(1))}}
		s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_NONE"}
	})
	r := x.Do("validate", "--bundle", b.Dir)
	Equal(x, "exit status", r.Code, 1)
	for _, want := range []string{"linux.resources.rdma", "linux.seccomp.defaultAction"} {
		if !strings.Contains(r.Stdout, want) && !(want == "linux.resources.rdma" && Cgroups().Has("rdma")) {
			x.Errorf("%v: no %s", r, want)
		}
	}
}

func TestStrict(t *testing.T) {
	x := New(t, Berth)
	b := x.Bundle()
	Equal(x, "exit status", x.Foreground(b, "--strict").Code, 0)
	text := x.ReadFile(b.Dir + "/config.json")
	b.SaveRaw(strings.Replace(text, "{", `{"typo": true,`, 1))
	Equal(x, "exit status", x.Foreground(b).Code, 0)
	x.Refused(x.Foreground(b, "--strict"), 1, "--strict: config.json: unknown field typo")
	b.Save(func(s *specs.Spec) { s.Process.CommandLine = "x" })
	x.Refused(x.Do("create", "--strict", "--bundle", b.Dir, x.ID), 1, "--strict: process.commandLine: ignored")
	Equal(x, "exit status of validate", x.Do("validate", "--bundle", b.Dir).Code, 0)
	Equal(x, "exit status of validate --strict", x.Do("validate", "--strict", "--bundle", b.Dir).Code, 1)
	x.NothingLeft()
}
