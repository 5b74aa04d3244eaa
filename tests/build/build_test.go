package build

import (
	"embed"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	goarch     = runtime.GOARCH
	baseLayers = 2
)

// cases is the table.
//
//go:embed cases/*.txt
var cases embed.FS

// TestDockerfiles builds every Dockerfile of the table.
func TestDockerfiles(t *testing.T) {
	b := newBuilder(t)
	files, err := fs.Glob(cases, "cases/*.txt")
	must(t, err)
	total := 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, c := range readCases(t, file) {
				total++
				t.Run(c.name, func(t *testing.T) { b.try(t, &c) })
			}
		})
	}
	t.Logf("%d Dockerfiles", total)
}

// builder is a berth with a store of its own that holds the base images.
type builder struct {
	runtime, store string
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	path := os.Getenv("BERTH_RUNTIME")
	if path == "" {
		t.Skip("BERTH_RUNTIME is not set: it names the berth to test (make test sets it)")
	}
	if out, err := exec.Command(path, "image-commands").CombinedOutput(); err != nil {
		t.Skipf("%s has no image side: %s", path, out)
	}
	b := &builder{runtime: path, store: t.TempDir()}
	t.Cleanup(func() { b.empty(t) })
	archive := filepath.Join(t.TempDir(), "base.tar")
	writeBase(t, archive)
	for _, file := range []string{archive, archive + ".onbuild"} {
		if code, out := b.berth(t, nil, "load", "--input", file); code != 0 {
			t.Fatalf("load %s: status %d: %s", file, code, out)
		}
	}
	return b
}

// empty lets berth remove the layers: those of an ordinary user have files of ids that
// he cannot remove himself.
func (b *builder) empty(t *testing.T) {
	if code, out := b.berth(t, nil, "prune", "--all", "--cache"); code != 0 {
		t.Errorf("prune: status %d: %s", code, out)
	}
}

// berth calls the program and returns its status and what it printed.
func (b *builder) berth(t *testing.T, env []string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(b.runtime, args...)
	cmd.Env = append(os.Environ(), "BERTH_STORE="+b.store)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %v: %v", b.runtime, args, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// try builds one case and checks every line of want.
func (b *builder) try(t *testing.T, c *dockerfileCase) {
	c.skip(t)
	if len(c.want) == 0 {
		t.Fatal("the case wants nothing")
	}
	o := b.build(t, c)
	for _, line := range c.want {
		if err := o.check(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if t.Failed() {
		t.Logf("status %d, output:\n%s", o.code, o.output)
	}
}

// skip leaves a case out that this host or user cannot build.
func (c *dockerfileCase) skip(t *testing.T) {
	t.Helper()
	for _, need := range c.heads["needs"] {
		switch need {
		case "root":
			if os.Geteuid() != 0 {
				t.Skip("needs root")
			}
		case "git":
			if _, err := exec.LookPath("git"); err != nil {
				t.Skip("needs git")
			}
		case "attributes":
			if err := unix.Setxattr(t.TempDir(), "user.berth", nil, 0); errors.Is(err, unix.ENOTSUP) {
				t.Skip("needs a file system with attributes of users (tmpfs: since Linux 6.6)")
			}
		default:
			t.Fatalf("needs: %q is unknown", need)
		}
	}
}

// build builds a case and reads the image.
func (b *builder) build(t *testing.T, c *dockerfileCase) *outcome {
	t.Helper()
	dir := tempDir(t)
	context, archive := c.prepare(t, dir), filepath.Join(dir, "image.tar")
	args := []string{"build", "--progress", "plain", "--output", "type=oci,dest=" + archive}
	for _, flags := range c.heads["flags"] {
		args = append(args, words(strings.ReplaceAll(flags, "@context", context))...)
	}
	last := context
	for _, other := range c.heads["context"] {
		last = strings.ReplaceAll(other, "@context", context)
	}
	o := &outcome{base: baseLayers}
	o.code, o.output = b.berth(t, c.heads["env"], append(args, last)...)
	if o.code == 0 {
		o.image = readImage(t, archive)
	} else if !c.fails() {
		t.Fatalf("status %d:\n%s", o.code, o.output)
	}
	return o
}

// tempDir is t.TempDir without the name of the test, whose commas would end a value
// of --output.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "berth-build-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what a failed build left is of no use
	return dir
}

// prepare makes the context below dir, and the server that the case asks for.
func (c *dockerfileCase) prepare(t *testing.T, dir string) string {
	t.Helper()
	context := filepath.Join(dir, "context")
	must(t, os.Mkdir(context, 0o755))
	c.write(t, context)
	if !c.mentions("@url") {
		return context
	}
	dockerfile := filepath.Join(context, "Dockerfile")
	text, err := os.ReadFile(dockerfile)
	must(t, err)
	text = []byte(strings.NewReplacer("@url", c.serve(t, context), "@commit", c.commit).Replace(string(text)))
	must(t, os.WriteFile(dockerfile, text, 0o600))
	return context
}

// mentionsFlag tells whether the command line of the case has a text.
func (c *dockerfileCase) mentionsFlag(text string) bool {
	return strings.Contains(strings.Join(c.heads["flags"], " "), text)
}

// mentions tells whether a file of the case has a text.
func (c *dockerfileCase) mentions(text string) bool {
	for _, f := range c.files {
		if strings.Contains(f.content, text) {
			return true
		}
	}
	return false
}

// fails tells whether the case is about an error.
func (c *dockerfileCase) fails() bool {
	for _, line := range c.want {
		if strings.HasPrefix(line, "error ") {
			return true
		}
	}
	return false
}
