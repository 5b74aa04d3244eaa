package integration

import (
	"fmt"
	"os"
	"slices"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Names come from the container's files, numbers from nowhere.
func TestExecUserNames(t *testing.T) {
	x := New(t, Berth, IDs)
	c := x.Up()
	x.WriteFile(c.Bundle.Path("etc/passwd"), "root:x:0:0::/:\nworker:x:1000:1001::/home:\n77:x:5:5::/:\n", 0o644)
	x.WriteFile(c.Bundle.Path("etc/group"), "root:x:0:\nwheel:x:10:worker\ntape:x:26:a,worker\n", 0o644)
	for arg, want := range map[string]string{
		"worker":       "1000 1001 [10 26]",
		"worker:wheel": "1000 10 []",
		"worker:7":     "1000 7 []",
		"5:tape":       "5 26 []",
		"77":           "77 0 []",
		"root":         "0 0 []",
	} {
		r := c.Report("--user", arg)
		groups := slices.DeleteFunc(r.Groups, func(g int) bool { return g == r.GID })
		slices.Sort(groups)
		Equal(x, arg, fmt.Sprint(r.UID, r.GID, groups), want)
	}
	x.Refused(c.ExecCmd([]string{"-u", "none"}, "/bin/true").Run(), 255, `user "none": no user "none" in the container's /etc/passwd`)
	x.Refused(c.ExecCmd([]string{"-u", "1:none"}, "/bin/true").Run(), 255, `user "1:none": no group "none" in the container's /etc/group`)
}

// The files are the container's, which may make anything of them.
func TestExecUserHostileFiles(t *testing.T) {
	x := New(t, Berth, Root)
	c := x.Up()
	passwd := c.Bundle.Path("etc/passwd")
	for name, plant := range map[string]func() error{
		"fifo":       func() error { return unix.Mkfifo(passwd, 0o644) },
		"directory":  func() error { return os.Mkdir(passwd, 0o755) },
		"link":       func() error { return os.Symlink("/../../../../../../../../etc/passwd-of-host", passwd) },
		"magic link": func() error { return os.Symlink("/proc/self/root/etc/passwd", passwd) },
		"device":     func() error { return unix.Mknod(passwd, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))) },
		"absent":     func() error { return nil },
	} {
		x.Must(os.RemoveAll(passwd))
		if err := plant(); err != nil {
			x.Fatalf("%s: %v", name, err)
		}
		x.Refused(c.ExecCmd([]string{"-u", "worker"}, "/bin/true").Run(), 255, `user "worker": .*container's /etc/passwd`)
		x.Code(c.ExecCmd([]string{"-u", "1000"}, "/bin/true").Run(), 0)
	}
}

func TestExecUserRootless(t *testing.T) {
	x := New(t, Berth, AsUser, UserNS)
	c := x.Up()
	Equal(x, "uid", c.Report("-u", "root").UID, 0)
	x.Refused(c.ExecCmd([]string{"-u", "worker"}, "/bin/true").Run(), 255, "1000 is not mapped")
}

// A container in a user namespace that has given up setgroups(2), as one of a single id
// that a user makes: in berth's own, and in another below it.
func TestExecNoSetgroups(t *testing.T) {
	const script = `trap '"$0" --root "$1" delete --force "$3"' EXIT
		"$0" --root "$1" run --detach --bundle "$2" "$3"
		"$0" --root "$1" exec "$3" /bin/sh -c 'echo user $(id -u):$(id -g)'
		"$0" --root "$1" exec --user root "$3" /bin/sh -c 'echo named $(id -u):$(id -g)'
		"$0" --root "$1" exec --user 0:0 "$3" /bin/sh -c 'echo group $(id -u):$(id -g)'`
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprintf("own namespace %v", own), func(t *testing.T) {
			x := New(t, Berth, AsUser, UserNS, Program("unshare"))
			b := x.Bundle(Args("/bin/probe", "pause"), func(s *specs.Spec) {
				one := []specs.LinuxIDMapping{{Size: 1}}
				s.Linux.UIDMappings, s.Linux.GIDMappings, s.Linux.Resources = one, one, nil
			})
			if !own {
				b.Save(Without(specs.UserNamespace), func(s *specs.Spec) { s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil })
			}
			x.WriteFile(b.Path("etc/passwd"), "root:x:0:0::/:\n", 0o644)
			x.WriteFile(b.Path("etc/group"), "root:x:0:root\nother:x:7:root\n", 0o644)
			cmd := x.Cmd("--map-root-user", "/bin/sh", "-ec", script, Runtime(), x.Root, b.Dir, x.ID)
			cmd.Path = "unshare"
			r := cmd.Run()
			x.Code(r, 0)
			for _, want := range []string{"user 0:0\n", "named 0:0\n", "group 0:0\n"} {
				x.Contains("stdout", r.Stdout, want)
			}
		})
	}
}
