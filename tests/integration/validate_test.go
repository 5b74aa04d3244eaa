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
		"process.cwd": "invalid", "process.args": "invalid", "mounts[6]": "missing",
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

// Programs and hooks are looked for where they will be, and what comes with a mount
// is not missed.
func TestValidatePrograms(t *testing.T) {
	x := New(t, Berth)
	b := x.Bundle()
	for name, content := range map[string]string{
		"bin/crlf": "#!/bin/sh\r\n", "bin/lost": "#!/bin/nothing\n", "bin/loader": elfWithLoader("/lib/ld-nowhere.so.1"),
		"bin/fine": "#!/bin/sh\n", "opt": "",
	} {
		x.WriteFile(b.Path(name), content, 0o755)
	}
	x.WriteFile(b.Path("bin/data"), "data", 0o644)
	foreign(x, b.Path("bin/arm"))
	x.Must(os.Symlink("/mnt/tools", b.Path("tools")))
	x.Must(os.Symlink("/../../../../bin", b.Path("up")))
	for name, want := range map[string]string{
		"/bin/none":      `missing: process.args[0]: "/bin/none": no such file or directory`,
		"none":           `missing: process.args[0]: "none": executable file not found in $PATH`,
		"/bin/data":      `unsupported: process.args[0]: "/bin/data": not executable (mode 0644)`,
		"/bin":           `unsupported: process.args[0]: "/bin": is a directory`,
		"/bin/crlf":      `unsupported: process.args[0]: the "#!" line of "/bin/crlf" ends in a carriage return: convert the script's line ends to LF`,
		"/bin/lost":      `unsupported: process.args[0]: interpreter "/bin/nothing" of "/bin/lost" does not exist`,
		"/bin/loader":    `unsupported: process.args[0]: dynamic loader "/lib/ld-nowhere.so.1" of "/bin/loader" does not exist`,
		"/bin/fine":      "valid",
		"bin/fine":       "valid", // from the working directory
		"fine":           "valid",
		"/up/fine":       "valid",
		"/opt/x":         `missing: process.args[0]: "/opt/x": not a directory`,
		"/mnt/a/program": "valid", // it may be in what is mounted there
		"/tools/program": "valid",
	} {
		b.Save(Args(name), Mounted("/mnt", "none", "/usr", "bind"))
		r := x.Do("validate", "--bundle", b.Dir)
		Equal(x, name, strings.TrimSpace(r.Stdout), want)
		Equal(x, name+": valid", r.Code == 0, want == "valid")
	}
	b.Save(Args("/bin/arm"))
	r := x.Do("validate", "--bundle", b.Dir)
	x.Contains("stdout", r.Stdout, `unsupported: process.args[0]: "/bin/arm" is an executable for `)

	b.Save(Args("fine"), func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{
			CreateRuntime:  []specs.Hook{{Path: "/bin/sh"}, {Path: "/no/hook"}},
			StartContainer: []specs.Hook{{Path: "/bin/fine"}, {Path: "/bin/lost"}},
			Poststop:       []specs.Hook{{Path: "/etc/passwd"}},
		}
	})
	Equal(x, "hooks", x.Do("validate", "--bundle", b.Dir).Stdout, `missing: hooks.createRuntime[1].path: "/no/hook": no such file or directory
unsupported: hooks.poststop[0].path: "/etc/passwd": not executable (mode 0644)
unsupported: hooks.startContainer[1].path: interpreter "/bin/nothing" of "/bin/lost" does not exist
`)
	x.NothingLeft()
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
