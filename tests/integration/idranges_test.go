package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// With keep-id a user is the same number inside as outside. The groups that he keeps
// have no number inside, and let him in where they let him in outside.
func TestKeepGroupsWithKeepID(t *testing.T) {
	x := New(t, Berth, AsUser, UserNS, IDs, secondGroup)
	const inside = 1000
	shared := os.Getenv("BERTH_TEST_GROUP_DIR")
	keepID := func(s *specs.Spec) {
		s.Linux.UIDMappings = around(s.Linux.UIDMappings, inside)
		s.Linux.GIDMappings = around(s.Linux.GIDMappings, inside)
		s.Process.User = specs.User{UID: inside, GID: inside}
	}
	for _, keep := range []bool{false, true} {
		edits := []Edit{keepID, Mounted("/mnt", "none", shared, "bind"), Shell("id -u; cat /mnt/letter")}
		if keep {
			edits = append(edits, annotated("run.oci.keep_original_groups", "1"))
		}
		r := x.Foreground(x.Bundle(edits...))
		if got := strings.HasPrefix(r.Stdout, "1000\n") && strings.HasSuffix(r.Stdout, "for the group\n"); got != keep {
			x.Errorf("keep %v: %v", keep, r)
		}
	}
}

// around maps the user's own id to the one given, and the range to all others.
func around(list []specs.LinuxIDMapping, inside uint32) []specs.LinuxIDMapping {
	own, others := list[0], list[1]
	own.ContainerID = inside
	return []specs.LinuxIDMapping{
		{ContainerID: 0, HostID: others.HostID, Size: inside}, own,
		{ContainerID: inside + 1, HostID: others.HostID + inside, Size: others.Size - inside},
	}
}

// A root file system below a directory that only a secondary group of the user may
// enter, with one id mapped and with many.
func TestRootfsThroughGroup(t *testing.T) {
	for _, ids := range []bool{false, true} {
		t.Run("many ids "+strconv.FormatBool(ids), func(t *testing.T) {
			needs := []Need{Berth, AsUser, UserNS, secondGroup}
			if ids {
				needs = append(needs, IDs)
			}
			x := New(t, needs...)
			dir := filepath.Join(groupsOnly(x), "rootfs")
			b := x.Bundle(Shell("cat /etc/name"), func(s *specs.Spec) { s.Root.Path = dir })
			x.Must(os.Rename(b.Rootfs, dir))
			x.WriteFile(filepath.Join(dir, "etc/name"), "shared", 0o644)
			r := x.Foreground(b)
			x.Code(r, 0)
			Equal(x, "stdout", r.Stdout, "shared")
		})
	}
}

// secondGroup needs a directory of the second group of the suite's user, which
// tests/setup/as-user makes.
var secondGroup = Kernel("a directory of the user's second group (BERTH_TEST_GROUP_DIR)", func() bool { return os.Getenv("BERTH_TEST_GROUP_DIR") != "" })

// groupsOnly makes a directory in one which only the group may enter.
func groupsOnly(x *Test) string {
	x.Helper()
	parent := os.Getenv("BERTH_TEST_GROUP_DIR")
	var st unix.Stat_t
	x.Must(unix.Stat(parent, &st))
	if int(st.Uid) == os.Geteuid() || int(st.Gid) == os.Getegid() || st.Mode&0o777 != 0o770 {
		x.Fatalf("%s: owner %d:%d, mode %o", parent, st.Uid, st.Gid, st.Mode)
	}
	dir := filepath.Join(parent, x.ID)
	x.Must(os.Mkdir(dir, 0o755))
	x.Cleanup(func() { x.Must(os.RemoveAll(dir)) })
	return dir
}

// spec --userns auto maps every range there is, one after the other.
func TestUsernsAllRanges(t *testing.T) {
	x := New(t, Berth, AsUser, UserNS, IDs)
	b := template(x, Shell("cat /proc/self/uid_map; touch /tmp/f; chown 1500:1500 /tmp/f; stat -c %u:%g /tmp/f"),
		"--userns", "auto", "--net", "host")
	b.Save(func(s *specs.Spec) {
		s.Root.Readonly = false
		chown := []string{"CAP_CHOWN"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: chown, Permitted: chown, Effective: chown}
	})
	maps := b.Spec.Linux.UIDMappings
	next := uint32(0)
	for _, m := range maps {
		Equal(x, "next id inside", m.ContainerID, next)
		next += m.Size
	}
	if len(maps) < 2 {
		x.Errorf("mappings %v", maps)
	}
	r := x.Foreground(b)
	x.Code(r, 0)
	lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
	Equal(x, "lines of uid_map", len(lines), len(maps)+1)
	Equal(x, "owner", lines[len(lines)-1], "1500:1500")
}

// Ranges that are not the user's, a helper that is missing, ids without a number
// inside: one sentence each, which names the id or the file to look at.
func TestIDRangeRefusals(t *testing.T) {
	x := New(t, Berth, AsUser, UserNS, IDs)
	foreign := specs.LinuxIDMapping{ContainerID: 200000, HostID: 1, Size: 10}
	for name, c := range map[string]struct {
		edit       Edit
		want, hint string
	}{
		"uids":       {func(s *specs.Spec) { s.Linux.UIDMappings = append(s.Linux.UIDMappings, foreign) }, `newuidmap: uid range \[200000-200010\) -> \[1-11\) not allowed`, "/etc/subuid"},
		"gids":       {func(s *specs.Spec) { s.Linux.GIDMappings = append(s.Linux.GIDMappings, foreign) }, `newgidmap: gid range \[200000-200010\) -> \[1-11\) not allowed`, "/etc/subgid"},
		"twice":      {func(s *specs.Spec) { s.Linux.UIDMappings = append(s.Linux.UIDMappings, s.Linux.UIDMappings[1]) }, `linux.uidMappings\[2\] overlaps linux.uidMappings\[1\]`, ""},
		"no size":    {func(s *specs.Spec) { s.Linux.UIDMappings[1].Size = 0 }, `linux.uidMappings\[1\].size: must not be 0`, ""},
		"too large":  {func(s *specs.Spec) { s.Linux.UIDMappings[1].Size = 1<<32 - 1 }, `linux.uidMappings\[1\]: goes beyond the largest id`, ""},
		"no root":    {func(s *specs.Spec) { s.Linux.UIDMappings = s.Linux.UIDMappings[1:] }, `linux.uidMappings: the container's id 0 is not mapped`, "/etc/subuid"},
		"user":       {user(4000000, 0), `process.user.uid: 4000000 is not mapped in the container's user namespace \(linux.uidMappings\)`, "/etc/subuid"},
		"idmap bind": {Mounted("/mnt", "none", "/usr", "bind", "ridmap"), `mounts\[\d+\]: idmapped mounts need root`, ""},
	} {
		x.Sub(name, func(y *Test) {
			r := y.Foreground(y.Bundle(c.edit))
			y.Refused(r, 1, c.want)
			if hint := hintIn(r); !strings.Contains(hint, c.hint) || (hint != "") != (c.hint != "") {
				y.Errorf("hint %q, want %q", hint, c.hint)
			}
			y.NothingLeft()
		}, AsUser, IDs)
	}
	// Half of the helpers is not enough.
	path, err := exec.LookPath("newuidmap")
	x.Must(err)
	x.Must(os.Symlink(path, filepath.Join(x.Mkdir("half"), "newuidmap")))
	cmd := x.RunCmd(x.Bundle())
	cmd.Env = slices.Concat(cmd.Env, []string{"PATH=" + filepath.Join(x.Dir, "half")})
	x.Refused(cmd.Run(), 1, "newgidmap is needed to map more than one id without privileges: not in PATH")
	x.NothingLeft()
}
