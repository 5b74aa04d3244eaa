package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// change writes, replaces and removes, and shows the result.
const change = `echo new > /etc/new && echo changed > /etc/passwd && rm /etc/group && rm -r /var && mkdir /var &&
	ls /etc && cat /etc/passwd && ls /var && stat -c %a / /tmp`

const changed = "new\npasswd\nchanged\n755\n777\n"

func checkUnchanged(x *Test, b *Bundle) {
	x.Helper()
	for _, name := range []string{"etc/group", "var"} {
		if _, err := os.Lstat(b.Path(name)); err != nil {
			x.Errorf("the rootfs has changed: %v", err)
		}
	}
	if _, err := os.Lstat(b.Path("etc/new")); err == nil {
		x.Errorf("etc/new is in the rootfs")
	}
	if text := x.ReadFile(b.Path("etc/passwd")); text == "changed\n" {
		x.Errorf("etc/passwd has changed")
	}
}

func overlays() bool {
	text, err := os.ReadFile("/proc/filesystems")
	return err == nil && strings.Contains(string(text), "nodev\toverlay\n")
}

func TestEphemeral(t *testing.T) {
	for name, need := range map[string]Need{"root": Root, "user": AsUser} {
		t.Run(name, func(t *testing.T) {
			x := New(t, Berth, UserNS, need, Kernel("overlayfs", overlays))
			b := x.Bundle(Shell(change))
			r := x.Foreground(b, "--ephemeral")
			Equal(x, "output", r.Stdout, changed)
			Equal(x, "errors", r.Stderr, "")
			checkUnchanged(x, b)
			x.NothingLeft()
		})
	}
}

func TestEphemeralDirectory(t *testing.T) {
	x := New(t, Berth, Root, Kernel("overlayfs", overlays))
	dir := x.Mkdir("layers, \\with:strange=characters")
	b := x.Bundle(Shell(change + "; mknod -m 0 /x p; chmod 0 /etc"))
	r := x.Foreground(b, "--ephemeral="+dir)
	Equal(x, "output", r.Stdout, changed)
	checkUnchanged(x, b)
	empty(x, dir)

	// Detached, it goes with the container.
	b.Save(Args("/bin/probe", "pause"))
	x.OK("run", "--detach", "--ephemeral="+dir, "--bundle", b.Dir, x.ID)
	x.OK("exec", x.ID, "touch", "/etc/new")
	left, err := filepath.Glob(filepath.Join(dir, "*/upper/etc/new"))
	x.Must(err)
	if len(left) == 0 {
		// The name has characters of patterns.
		entries, err := os.ReadDir(dir)
		x.Must(err)
		Equal(x, "layers", len(entries), 1)
	}
	checkUnchanged(x, b)
	x.OK("delete", "--force", x.ID)
	empty(x, dir)

	// A container that cannot start leaves nothing either.
	b.Save(Args("/bin/nothing"))
	x.Refused(x.Foreground(b, "--ephemeral="+dir), 1, "nothing")
	empty(x, dir)
	x.Refused(x.Foreground(b, "--ephemeral="+filepath.Join(dir, "absent")), 1, "--ephemeral: .*no such file or directory")
	x.NothingLeft()
}

func empty(x *Test, dir string) {
	x.Helper()
	entries, err := os.ReadDir(dir)
	x.Must(err)
	if len(entries) > 0 {
		x.Errorf("left in %s: %v", dir, entries)
	}
}

// With ids mapped the layer belongs to the container's root.
func TestEphemeralMapped(t *testing.T) {
	x := New(t, Berth, Root, UserNS, Kernel("overlayfs", overlays))
	mapped := func(s *specs.Spec) {
		With(specs.UserNamespace, "")(s)
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
		s.Linux.GIDMappings = s.Linux.UIDMappings
	}
	b := x.Bundle(mapped, Shell("echo x > /new && stat -c '%u %g' /new"))
	x.Must(os.Chown(b.Rootfs, 100000, 100000))
	for _, flag := range []string{"--ephemeral", "--ephemeral=" + x.Mkdir("layers")} {
		Equal(x, "output with "+flag, x.Foreground(b, flag).Stdout, "0 0\n")
		x.NothingLeft()
	}
	empty(x, filepath.Join(x.Dir, "layers"))
}

// The root stays read-only where config.json says so.
func TestEphemeralReadonly(t *testing.T) {
	x := New(t, Berth, Root, Kernel("overlayfs", overlays))
	b := x.Bundle(Shell("touch /new"), func(s *specs.Spec) { s.Root.Readonly = true })
	r := x.Foreground(b, "--ephemeral")
	x.Code(r, 1)
	Equal(x, "errors", r.Stderr, "touch: /new: Read-only file system\n")
}
