package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inUserNS runs the calling test again as root of a user namespace with ids ids, in
// a directory that it owns; false in the outer run, which is over then.
func inUserNS(t *testing.T, ids int) (dir string, inside bool) {
	t.Helper()
	if dir := os.Getenv("LAYER_USERNS"); dir != "" {
		for _, name := range []string{"/target", "/tmp"} {
			if err := os.Mkdir(dir+name, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("TMPDIR", dir+"/tmp")
		return dir + "/target", true
	}
	root(t)
	const first = 300_000
	dir = t.TempDir()
	for path := dir; path != "/" && path != os.TempDir(); path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir, first, first); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "LAYER_USERNS="+dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: first, Size: ids}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: first, Size: ids}},
		Credential:  &syscall.Credential{Uid: 0, Gid: 0},
	}
	out, err := cmd.CombinedOutput()
	t.Logf("in the user namespace:\n%s", out)
	if err != nil {
		t.Errorf("in the user namespace: %v", err)
	}
	return "", false
}

func TestUserNamespace(t *testing.T) {
	dir, inside := inUserNS(t, 65536)
	if !inside {
		return
	}
	capability := string([]byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	o := ApplyOptions{Format: OverlayUser, UserNS: true}
	r := mustApply(t, dir, pack(t,
		tar.Header{Name: "f", Uname: "x", Uid: 1000, Gid: 65535, Mode: 0o2755},
		tar.Header{Name: "ping", PAXRecords: map[string]string{"SCHILY.xattr.security.capability": capability}},
		fileEntry(".wh.gone", ""), dirEntry("o"), fileEntry("o/.wh..wh..opq", ""),
		tar.Header{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3},
		tar.Header{Name: "closed/", Typeflag: tar.TypeDir, Mode: 0o500, Uid: 5}, tar.Header{Name: "closed/in", Uid: 5},
		linkEntry("l", "f"), hardEntry("h", "f"),
	), o)
	got := tree(t, dir)
	for _, want := range []string{"f 102755 1000:65535 x", "gone 020000 0:0 0:0", "closed 040500 5:0", "l 120777 0:0 -> f", "h 102755 1000:65535 x"} {
		if !slices.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
	if got := getxattr(filepath.Join(dir, "o"), "user.overlay.opaque"); got != "y" {
		t.Errorf("user.overlay.opaque = %q", got)
	}
	if got := getxattr(filepath.Join(dir, "ping"), "security.capability"); got != capability {
		t.Errorf("security.capability = %q", got)
	}
	if !slices.Equal(r.Skipped, []string{"null"}) {
		t.Errorf("skipped: %q", r.Skipped)
	}
	archive := diff(t, dir, DiffOptions{})
	for _, want := range []string{".wh.gone", "o/.wh..wh..opq", "ping", "h"} {
		if !slices.Contains(names(t, archive), want) {
			t.Errorf("no %s in %q", want, names(t, archive))
		}
	}
	if !bytes.Contains(archive, []byte(capability)) {
		t.Error("the file capability is not in the archive")
	}
	_, err := Apply(context.Background(), open(t, dir), bytes.NewReader(pack(t, tar.Header{Name: "far", Uid: 70_000})), o)
	if err == nil || !strings.Contains(err.Error(), "subuid") {
		t.Errorf("an owner that is not mapped: %v", err)
	}
	merged, upper, work := t.TempDir(), t.TempDir(), t.TempDir()
	if err := unix.Mount("overlay", merged, "overlay", 0, fmt.Sprintf("userxattr,lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work)); err != nil {
		t.Skipf("no overlay in a user namespace here: %v", err)
	}
	defer unix.Unmount(merged, unix.MNT_DETACH) //nolint:errcheck // best effort
	if _, err := os.Lstat(filepath.Join(merged, "gone")); err == nil {
		t.Error("the whiteout shows in the overlay")
	}
}

// TestOneID: a namespace with a single id, as for users without ranges in /etc/subuid.
func TestOneID(t *testing.T) {
	dir, inside := inUserNS(t, 1)
	if !inside {
		return
	}
	mustApply(t, dir, pack(t,
		tar.Header{Name: "f", Uname: "x", Uid: 1000, Gid: 1000}, tar.Header{Name: "d/", Typeflag: tar.TypeDir, Uid: 7, Gid: 7, Mode: 0o750},
		tar.Header{Name: "d/l", Typeflag: tar.TypeSymlink, Linkname: "x", Uid: 7}), ApplyOptions{Format: OverlayUser, UserNS: true, Squash: true})
	got := tree(t, dir)
	for _, want := range []string{"f 100755 0:0 x", "d 040750 0:0", "d/l 120777 0:0 -> x"} {
		if !slices.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
}
