package build

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPeers builds the same Dockerfiles with buildah and compares the images entry
// by entry. Cases with a head "peers" differ for the reason that stands there; what
// buildah cannot build is counted, not compared. `make test-build-peers` runs it.
func TestPeers(t *testing.T) {
	if os.Getenv("BERTH_PEERS") == "" {
		t.Skip("BERTH_PEERS is not set: make test-build-peers compares with buildah")
	}
	peer, err := exec.LookPath("buildah")
	if err != nil {
		t.Skip("no buildah (Debian: buildah)")
	}
	if os.Geteuid() != 0 {
		t.Skip("buildah is called as root")
	}
	b, p := newBuilder(t), newBuildah(t, peer)
	files, err := fs.Glob(cases, "cases/*.txt")
	must(t, err)
	compared, unable := 0, 0
	for _, file := range files {
		for _, c := range readCases(t, file) {
			if c.fails() || len(c.heads["peers"]) > 0 {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+c.name, func(t *testing.T) {
				c.skip(t)
				theirs, err := p.build(t, &c)
				if err != nil {
					unable++
					t.Skip(err)
				}
				compared++
				for _, line := range differences(b.build(t, &c).image, theirs) {
					t.Error(line)
				}
			})
		}
	}
	t.Logf("%d compared, %d that buildah cannot build", compared, unable)
}

// buildah is a buildah with a storage of its own that has the base images.
type buildah struct {
	path string
	// dir is also where the caches of cache mounts are, which outlive a build.
	dir  string
	args []string
}

func newBuildah(t *testing.T, path string) *buildah {
	t.Helper()
	dir := t.TempDir()
	b := &buildah{path: path, dir: dir, args: []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs"}}
	t.Cleanup(func() { _, _ = b.call("rmi", "--all", "--force") }) // TempDir removes the rest
	archive := filepath.Join(t.TempDir(), "base.tar")
	writeBase(t, archive)
	for name, file := range map[string]string{"base": archive, "onbuild": archive + ".onbuild"} {
		id, err := b.call("pull", "--quiet", "oci-archive:"+file)
		if err != nil {
			t.Skipf("buildah does not work here: %v", err)
		}
		if _, err := b.call("tag", strings.TrimSpace(id), "docker.io/library/"+name+":latest"); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *buildah) call(args ...string) (string, error) {
	cmd := exec.Command(b.path, append(slices.Clone(b.args), args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+b.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("buildah %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func (b *buildah) build(t *testing.T, c *dockerfileCase) (*builtImage, error) {
	t.Helper()
	dir := tempDir(t)
	context, archive := c.prepare(t, dir), filepath.Join(dir, "image.tar")
	args := []string{"build", "--isolation", "chroot", "--pull=false", "--tag", "oci-archive:" + archive}
	if !c.mentionsFlag("--squash") {
		args = append(args, "--layers")
	}
	for _, flags := range c.heads["flags"] {
		args = append(args, words(strings.ReplaceAll(flags, "@context", context))...)
	}
	if _, err := b.call(append(args, context)...); err != nil {
		return nil, err
	}
	return parseImage(archive)
}

// differences lists what two images hold differently. Times are not compared: only
// some are defined.
func differences(ours, theirs *builtImage) []string {
	var list []string
	for name, n := range ours.tree {
		other := theirs.tree[name]
		if other == nil {
			list = append(list, name+": only berth has it")
		} else if a, b := describe(n), describe(other); a != b {
			list = append(list, fmt.Sprintf("%s: berth has %s, buildah %s", name, a, b))
		}
	}
	for name := range theirs.tree {
		if ours.tree[name] == nil && !leftByBuildah(name) {
			list = append(list, name+": only buildah has it")
		}
	}
	for _, field := range []string{"Cmd", "Entrypoint", "WorkingDir", "User", "Volumes", "ExposedPorts", "StopSignal", "OnBuild"} {
		a, b := fmt.Sprint(ours.settings()[field]), fmt.Sprint(theirs.settings()[field])
		if field == "WorkingDir" && a == "/" && b == "<nil>" {
			continue // on scratch buildkit writes it, too
		}
		if a != b {
			list = append(list, fmt.Sprintf("%s: berth has %s, buildah %s", field, a, b))
		}
	}
	slices.Sort(list)
	return list
}

// leftByBuildah tells the mount points that buildah leaves in the layer of a RUN, and
// the root, which it always has.
func leftByBuildah(name string) bool {
	switch name {
	case "/", "/run", "/run/secrets", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname":
		return true
	}
	return false
}

func describe(n *node) string {
	s := fmt.Sprintf("type %q mode %04o owner %d:%d", n.header.Typeflag, n.header.Mode&0o7777, n.header.Uid, n.header.Gid)
	switch n.header.Typeflag {
	case tar.TypeSymlink:
		return "link to " + n.header.Linkname
	case tar.TypeReg:
		s += fmt.Sprintf(" content %.60q of %d", n.content, len(n.content))
	}
	return s
}
