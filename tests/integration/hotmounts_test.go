package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// listFile writes a list of mounts for `mounts add`.
func listFile(x *Test, list ...specs.Mount) string {
	x.Helper()
	data, err := json.Marshal(list)
	x.Must(err)
	return x.WriteFile("mounts.json", string(data), 0o644)
}

func bind(source, destination string, options ...string) specs.Mount {
	return specs.Mount{Source: source, Destination: destination, Type: "bind", Options: append([]string{"rbind"}, options...)}
}

// A directory and a file of the host appear in a running container, and go again;
// for root, for a user, and with mapped ids.
func TestMountsAddRemove(t *testing.T) {
	for name, c := range map[string]struct {
		need Need
		edit Edit
	}{
		"root":   {Root, func(*specs.Spec) {}},
		"user":   {AsUser, func(*specs.Spec) {}},
		"mapped": {Root, mappedUsers},
	} {
		t.Run(name, func(t *testing.T) {
			x := New(t, Berth, UserNS, c.need)
			// What the host keeps from others a mapped root may still be given.
			x.Mkdir("private")
			source := x.Mkdir("private/source")
			x.Must(os.Chmod(filepath.Dir(source), 0o700))
			x.WriteFile(filepath.Join(source, "hello"), "world", 0o644)
			up := x.Up(c.edit)
			list := listFile(x,
				bind(source, "/new/deep", "ro"),
				bind(filepath.Join(source, "hello"), "/etc/passwd"),
				specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: "/scratch", Options: []string{"mode=755", "nosuid"}})
			before := up.ExecOK("cat", "/etc/passwd")
			x.OK("mounts", "add", up.ID, list)
			Equal(x, "bind", up.ExecOK("cat", "/new/deep/hello"), "world")
			Equal(x, "file", up.ExecOK("cat", "/etc/passwd"), "world")
			up.ExecOK("touch", "/scratch/x")
			r := up.Exec("touch", "/new/deep/x")
			if r.Code == 0 || !strings.Contains(r.Stderr, "Read-only") {
				x.Errorf("%v", r)
			}
			var got []map[string]string
			x.JSON(x.OK("mounts", "list", "--format", "json", up.ID).Stdout, &got)
			seen := map[string]string{}
			for _, m := range got {
				seen[m["destination"]] = m["options"]
			}
			if !strings.HasPrefix(seen["/new/deep"], "ro,") || !strings.HasPrefix(seen["/scratch"], "rw,nosuid") {
				x.Errorf("%v", seen)
			}
			x.OK("mounts", "remove", up.ID, list)
			Equal(x, "file", up.ExecOK("cat", "/etc/passwd"), before)
			Equal(x, "directory", up.ExecOK("ls", "/new/deep"), "")
			x.Refused(x.Do("mounts", "remove", up.ID, list), 1, "/new/deep: it is no mount point")
			// Nothing of it is on the host.
			if _, err := os.Stat(filepath.Join(source, "hello")); err != nil {
				x.Errorf("%v", err)
			}
		})
	}
}

func mappedUsers(s *specs.Spec) {
	With(specs.UserNamespace, "")(s)
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: 1, HostID: 100000, Size: 65535}}
	s.Linux.GIDMappings = s.Linux.UIDMappings
}

// One that cannot be made leaves none of the others behind.
func TestMountsAllOrNone(t *testing.T) {
	x := New(t, Berth)
	source := x.Mkdir("source")
	up := x.Up()
	before := x.OK("mounts", "list", up.ID).Stdout
	x.Refused(x.Do("mounts", "add", up.ID, listFile(x, bind(source, "/a"), bind(source, "/etc/passwd"))), 1,
		`error mounting .* to rootfs at "/etc/passwd": open destination: not a directory`)
	Equal(x, "mounts", x.OK("mounts", "list", up.ID).Stdout, before)
	for list, want := range map[string]string{
		`[]`: "an empty list of mounts",
		`{}`: "expected an array, found an object",
		`[{"destination": "/x", "type": "bind"}]`:                        `mounts\[0\].source: missing`,
		`[{"destination": "/x"}]`:                                        `mounts\[0\].type: missing`,
		`[{"destination": "/proc/sys", "type": "tmpfs"}]`:                "cannot be mounted, it is inside /proc",
		`[{"destination": "/x", "type": "bind", "source": "/no/where"}]`: "/no/where.*no such file or directory",
		`[{"destination": "/x", "type": "nosuchfs"}]`:                    "nosuchfs",
	} {
		x.Refused(x.Do("mounts", "add", up.ID, x.WriteFile("bad.json", list, 0o644)), 1, want)
	}
	x.Refused(x.Do("mounts", "remove", up.ID, listFile(x, specs.Mount{Destination: "/"})), 1, "the container's root cannot be unmounted")
	x.Refused(x.Do("mounts", "remove", up.ID, listFile(x, specs.Mount{Destination: "tmp"})), 1, `"tmp" is not absolute`)
	Equal(x, "mounts", x.OK("mounts", "list", up.ID).Stdout, before)
	x.OK("kill", up.ID)
	up.WaitStatus("stopped")
	x.Refused(x.Do("mounts", "add", up.ID, listFile(x, bind(source, "/a"))), 1, "container not running")
}

// Links in the container lead nowhere but into the container.
func TestMountsLinks(t *testing.T) {
	x := New(t, Berth)
	source := x.Mkdir("source")
	x.WriteFile(filepath.Join(source, "f"), "bound", 0o644)
	victim := x.Mkdir("victim")
	up := x.Up()
	up.ExecOK("ln", "-s", victim, "/trap")
	up.ExecOK("ln", "-s", "/../../../../../../..", "/up")
	up.ExecOK("ln", "-s", "/proc/1/root/tmp", "/magic")
	x.OK("mounts", "add", up.ID, listFile(x, bind(source, "/trap"), bind(source, "/up/tmp/up")))
	Equal(x, "inside", up.ExecOK("cat", victim+"/f", "/tmp/up/f"), "boundbound")
	entries, err := os.ReadDir(victim)
	x.Must(err)
	Equal(x, "outside", len(entries), 0)
	x.Refused(x.Do("mounts", "add", up.ID, listFile(x, bind(source, "/magic"))), 1, "too many levels of symbolic links")
	x.Refused(x.Do("mounts", "add", up.ID, listFile(x, bind(source, "/proc/1/root"))), 1, "inside /proc")
	x.OK("mounts", "remove", up.ID, listFile(x, bind(source, "/trap"), bind(source, "/up/tmp/up")))
}

// The owner of files shown by an idmapped bind is another.
func TestMountsIDMap(t *testing.T) {
	x := New(t, Berth, Root, UserNS)
	source := x.Mkdir("source")
	x.WriteFile(filepath.Join(source, "f"), "", 0o644)
	x.Must(os.Chown(filepath.Join(source, "f"), 5, 6))
	up := x.Up()
	m := bind(source, "/mapped", "idmap")
	m.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 5, HostID: 1005, Size: 2}}
	m.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 6, HostID: 1006, Size: 2}}
	r := x.Do("mounts", "add", up.ID, listFile(x, m))
	if r.Code != 0 && strings.Contains(r.Stderr, unix.EINVAL.Error()) {
		x.Skipf("needs idmapped mounts of %s: %v", source, r)
	}
	x.Code(r, 0)
	Equal(x, "owner", up.ExecOK("stat", "-c", "%u:%g", "/mapped/f"), "1005:1006\n")
}

// New file systems of the kernel show the container's namespaces, and stdin serves
// as well as a file. A paused container takes mounts, too.
func TestMountsFresh(t *testing.T) {
	x := New(t, Berth, Cgroup("freezer"))
	up := x.Up()
	x.OK("pause", up.ID)
	file, err := os.Open(listFile(x, specs.Mount{Type: "proc", Source: "proc", Destination: "/proc2"}))
	x.Must(err)
	cmd := x.Cmd("mounts", "add", up.ID, "-")
	cmd.Stdin = file
	x.Code(cmd.Run(), 0)
	x.Must(file.Close())
	x.OK("resume", up.ID)
	Equal(x, "init in the new procfs", up.ExecOK("cat", "/proc2/1/comm"), "probe\n")
}
