package build

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"berth/image"
	"berth/image/build/display"
	"berth/image/store"
)

// TestMain runs the tests in a mount namespace of their own: that is where the engine
// expects to be.
func TestMain(m *testing.M) {
	const inside = "BERTH_BUILD_TEST_INSIDE"
	if os.Geteuid() != 0 || os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runtimeRunner runs bundles with a built binary.
type runtimeRunner struct {
	binary, root string
}

func (r runtimeRunner) Run(ctx context.Context, bundle string, io IO) (int, error) {
	id := "build-test-" + strings.ToLower(rand.Text()[:10])
	cmd := exec.Command(r.binary, "--root", r.root, "run", "--bundle", bundle, id)
	cmd.Stdout, cmd.Stderr = io.Stdout, io.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = exec.Command(r.binary, "--root", r.root, "delete", "--force", id).Run() // Wait tells
	})
	defer stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// storeImages finds images in the store alone.
type storeImages struct{ s *store.Store }

func (i storeImages) Image(_ context.Context, ref image.Reference, p image.Platform, _ bool) (image.Descriptor, error) {
	d, err := i.s.Lookup(ref)
	if err != nil {
		return d, err
	}
	img, err := i.s.Image(d, p)
	return img.Descriptor, err
}

func (storeImages) Unpack(context.Context, image.Descriptor) error {
	return errors.New("the layers are not unpacked")
}

// bench is a store with a base image, and what is needed to build on it.
type bench struct {
	t     *testing.T
	store *store.Store
	out   bytes.Buffer
	o     Options
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("overlays are mounted: needs root")
	}
	s, err := store.Open(store.Options{Dir: filepath.Join(t.TempDir(), "store")})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	b := &bench{t: t, store: s}
	binary := os.Getenv("BERTH_RUNTIME")
	if binary == "" {
		binary, _ = filepath.Abs("../../bin/berth")
	}
	b.o = Options{Store: s, Name: "Dockerfile", Runner: runtimeRunner{binary, filepath.Join(t.TempDir(), "run")}, Images: storeImages{s}}
	return b
}

// busybox adds the image "base": busybox and a few accounts.
func (b *bench) busybox() *bench {
	b.t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		b.t.Skip("busybox, which the base image is made of, is not installed")
	}
	if _, err := os.Stat(b.o.Runner.(runtimeRunner).binary); err != nil {
		b.t.Skip("no runtime: set BERTH_RUNTIME or make build")
	}
	raw, err := os.ReadFile(path)
	must(b.t, err)
	dir := b.t.TempDir()
	for _, d := range []string{"bin", "etc", "tmp", "usr"} {
		must(b.t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	must(b.t, os.Chmod(filepath.Join(dir, "tmp"), 0o777|fs.ModeSticky))
	must(b.t, os.WriteFile(filepath.Join(dir, "bin/busybox"), raw, 0o755))
	list, err := exec.Command(path, "--list").Output()
	must(b.t, err)
	for _, name := range strings.Fields(string(list)) {
		if name != "busybox" {
			must(b.t, os.Symlink("busybox", filepath.Join(dir, "bin", name)))
		}
	}
	must(b.t, os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte("root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv:/bin/sh\n"), 0o644))
	must(b.t, os.WriteFile(filepath.Join(dir, "etc/group"), []byte("root:x:0:\nweb:x:34:\nextra:x:40:web\n"), 0o644))
	b.buildIn(dir, "FROM scratch\nCOPY . /\nENV BASE=1\nCMD [\"sh\"]\n", "base")
	return b
}

// build builds a Dockerfile with files as the context: "name=content" or "name/".
func (b *bench) build(dockerfile, tag string, files ...string) Result {
	b.t.Helper()
	r, err := b.try(dockerfile, tag, files...)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.out.String())
	}
	return r
}

func (b *bench) buildIn(dir, dockerfile, tag string) Result {
	b.t.Helper()
	r, err := b.tryIn(dir, dockerfile, tag)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.out.String())
	}
	return r
}

func (b *bench) try(dockerfile, tag string, files ...string) (Result, error) {
	b.t.Helper()
	dir := b.t.TempDir()
	for _, f := range files {
		name, content, _ := strings.Cut(f, "=")
		full := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			must(b.t, os.MkdirAll(full, 0o755))
			continue
		}
		must(b.t, os.MkdirAll(filepath.Dir(full), 0o755))
		must(b.t, os.WriteFile(full, []byte(content), 0o644))
	}
	return b.tryIn(dir, dockerfile, tag)
}

func (b *bench) tryIn(dir, dockerfile, tag string) (Result, error) {
	b.t.Helper()
	ignore, err := ReadIgnore(dir, "")
	must(b.t, err)
	c, err := OpenContext(dir, "context", ignore)
	must(b.t, err)
	defer c.Close()
	o := b.o
	o.Context, o.Dockerfile = c, []byte(dockerfile)
	b.out.Reset()
	o.Display = display.New(&b.out, display.Plain)
	o.Warn = func(s string) { fmt.Fprintln(&b.out, "warning:", s) }
	if tag != "" {
		ref, err := image.ParseReference(tag)
		must(b.t, err)
		o.Tags = []image.Reference{ref}
	}
	r, err := Build(b.t.Context(), o)
	b.clean()
	return r, err
}

// clean fails the test if a build has left something behind.
func (b *bench) clean() {
	b.t.Helper()
	left, err := filepath.Glob(filepath.Join(b.store.Dir(), "tmp", "*"))
	must(b.t, err)
	if len(left) > 0 {
		b.t.Errorf("left in tmp: %v", left)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(b.t, err)
	if strings.Contains(string(mounts), b.store.Dir()) {
		b.t.Errorf("left mounts:\n%s", mounts)
	}
}

// read reads a file of an image: the topmost layer that has it.
func (b *bench) read(r Result, name string) string {
	b.t.Helper()
	layers := r.Images[0].Layers
	for i := len(layers) - 1; i >= 0; i-- {
		dir, ok := b.store.Layer(layers[i])
		if !ok {
			b.t.Fatalf("layer %s is not in the store", layers[i])
		}
		st, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		if st.Mode()&fs.ModeCharDevice != 0 {
			return "deleted"
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		must(b.t, err)
		return string(raw)
	}
	return "missing"
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
