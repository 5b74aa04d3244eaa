package pull

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/image"
	"berth/image/store"
)

// TestMain is also the program that pulls in a process of its own: from one store
// into another, and it says on stdout which blobs it asks for.
func TestMain(m *testing.M) {
	if os.Getenv("PULL_FROM") == "" {
		os.Exit(m.Run())
	}
	if err := pullAsChild(os.Getenv("PULL_FROM"), os.Getenv("PULL_INTO"), os.Getenv("PULL_REF")); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

func pullAsChild(from, into, name string) error {
	src, err := store.Open(store.Options{Dir: from, ReadOnly: true})
	if err != nil {
		return err
	}
	dst, err := store.Open(store.Options{Dir: into})
	if err != nil {
		return err
	}
	ref, err := image.ParseReference(name)
	if err != nil {
		return err
	}
	_, err = Pull(context.Background(), Options{Store: dst, Source: talking{src.Source()}, Ref: ref, Unpack: true, Apply: HostApply()})
	return err
}

// talking is a Source that tells what is asked, and is slow enough to be killed.
type talking struct{ image.Source }

func (s talking) Blob(ctx context.Context, ref image.Reference, d image.Descriptor, offset int64) (io.ReadCloser, error) {
	fmt.Println("blob", d.Digest, offset)
	r, err := s.Source.Blob(ctx, ref, d, offset)
	return &dripping{r}, err
}

type dripping struct{ io.ReadCloser }

func (r *dripping) Read(p []byte) (int, error) {
	time.Sleep(200 * time.Microsecond) // so that there is something to interrupt
	return r.ReadCloser.Read(p[:min(len(p), 16<<10)])
}

func child(t *testing.T, from, into string, ref image.Reference) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "PULL_FROM="+from, "PULL_INTO="+into, "PULL_REF="+ref.String())
	cmd.Stderr = os.Stderr
	return cmd
}

// sourceStore makes a store that has an image of several layers.
func sourceStore(t *testing.T) (dir string, ref image.Reference, layers []image.Descriptor) {
	t.Helper()
	m := newMemory()
	var all []testLayer
	for i := range 5 {
		var files []string
		for j := range 60 {
			files = append(files, fmt.Sprintf("d%d/f%d", i, j), noise(3000+100*i+j))
		}
		all = append(all, gz(t, append(files, fmt.Sprintf("big%d", i), noise(400_000))...))
	}
	d := m.image(t, all...)
	ref = m.tag(t, "process", d)
	s := newStore(t)
	if _, err := Pull(context.Background(), Options{Store: s, Source: m, Ref: ref}); err != nil {
		t.Fatal(err)
	}
	return s.Dir(), ref, m.manifestOf(t, d).Layers
}

// TestKilledAtAnyMoment: what is left is sound, and finished blobs are not fetched
// again.
func TestKilledAtAnyMoment(t *testing.T) {
	root(t)
	from, ref, layers := sourceStore(t)
	into := filepath.Join(t.TempDir(), "store")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	killed := 0
	for range 25 {
		var finished []string
		if s, err := store.Open(store.Options{Dir: into, ReadOnly: true}); err == nil {
			for _, l := range layers {
				if s.Has(l.Digest) {
					finished = append(finished, l.Digest.String())
				}
			}
			s.Close()
		}
		cmd := child(t, from, into, ref)
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(r.IntN(250))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != -1) {
			t.Fatalf("%v: %s", err, out.String())
		}
		if err != nil {
			killed++
		}
		now := into
		if err == nil {
			into = filepath.Join(t.TempDir(), "store") // complete: begin anew
		}
		for _, d := range finished {
			if strings.Contains(out.String(), d) {
				t.Errorf("%s was there and was fetched again", d)
			}
		}
		if _, err := os.Stat(now); err == nil {
			sound(t, openStore(t, now))
		}
	}
	t.Logf("%d pulls were killed", killed)
	if out, err := child(t, from, into, ref).Output(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := openStore(t, into)
	sound(t, s)
	if used := usedLayers(t, s); used != len(layers) {
		t.Errorf("%d layers are unpacked", used)
	}
	if _, err := s.Lookup(ref); err != nil {
		t.Error(err)
	}
}

// TestProcessesShare: of several processes that pull the same each blob is fetched by
// one.
func TestProcessesShare(t *testing.T) {
	root(t)
	from, ref, layers := sourceStore(t)
	into := filepath.Join(t.TempDir(), "store")
	openStore(t, into)
	var outputs []io.Reader
	var children []*exec.Cmd
	for range 4 {
		cmd := child(t, from, into, ref)
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children, outputs = append(children, cmd), append(outputs, &out)
	}
	asked := map[string]int{}
	for i, cmd := range children {
		err := cmd.Wait()
		lines := bufio.NewScanner(outputs[i])
		for lines.Scan() {
			if err != nil {
				t.Errorf("%v: %s", err, lines.Text())
			}
			if words := strings.Fields(lines.Text()); len(words) == 3 {
				asked[words[1]]++
			}
		}
	}
	for _, l := range layers {
		if n := asked[l.Digest.String()]; n != 1 {
			t.Errorf("%s was fetched %d times", l.Digest, n)
		}
	}
	sound(t, openStore(t, into))
}
