package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var ctx = context.Background()

func init() {
	roles["script"] = script
	roles["writer"] = writer
	roles["gc"] = collect
}

// script is a life of a store in small: pull two images that share a layer, name
// them, rename, untag, collect. It prints what counts as done.
func script(s *Store) error {
	runtime.LockOSThread() // strace counts system calls by thread
	done := func(what string) { fmt.Println(what) }
	pull := func(name string, layers ...string) error {
		release, err := s.Use(ctx)
		if err != nil {
			return err
		}
		defer release()
		m, err := put(s, layers...)
		if err != nil {
			return err
		}
		if err := s.Tag(reference(name), m.Descriptor); err != nil {
			return err
		}
		done("image " + m.Digest.String())
		return nil
	}
	if err := pull("a", "base", "above a"); err != nil {
		return err
	}
	if err := pull("b", "base", "above b"); err != nil {
		return err
	}
	if err := pull("a", "base", "new a"); err != nil {
		return err
	}
	if err := s.Untag(reference("b")); err != nil {
		return err
	}
	if _, err := s.GC(ctx, GCOptions{}); err != nil {
		return err
	}
	done("end")
	return nil
}

func child(role, dir string) *exec.Cmd {
	self, err := os.Executable() // not /proc/self/exe, which for strace is strace
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleEnv+"="+role, dirEnv+"="+dir)
	return cmd
}

// TestKilledAtEveryPoint kills a process at the system calls by which it changes the
// store, one after the other. What is left is sound, and the same work, done again, ends
// well.
func TestKilledAtEveryPoint(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	const calls = "mkdirat,openat,renameat2,unlinkat,pwrite64,write,ftruncate,fchmod,fsync,syncfs,flock"
	if out, err := exec.Command(strace, "-f", "-e", "inject=getpid:retval=1", "true").CombinedOutput(); err != nil {
		t.Skipf("strace cannot trace here: %s", out)
	}
	// Every fifth, from another one each time: all of them take a minute.
	const step = 5
	first := 1 + rand.IntN(step)
	for n := first; ; n += step {
		dir := t.TempDir() + "/store"
		cmd := child("script", dir)
		cmd.Args = append([]string{strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls,
			"-e", "inject=" + calls + ":signal=KILL:when=" + strconv.Itoa(n)}, cmd.Path)
		cmd.Path = strace
		var out bytes.Buffer
		cmd.Stdout = &out
		err := cmd.Run()
		if strings.HasSuffix(out.String(), "end\n") {
			t.Logf("%d to %d in steps of %d", first, n, step)
			return
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		afterKill(t, dir, "point "+strconv.Itoa(n))
	}
}

// afterKill looks at what a killed script left behind, and lets it run again.
func afterKill(t *testing.T, dir, when string) {
	t.Helper()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	defer s.Close()
	faults, err := s.Verify(ctx, nil)
	if err != nil || len(faults) > 0 {
		t.Fatalf("%s: %v %v", when, err, faults)
	}
	refs, err := s.Refs()
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	for _, r := range refs {
		for _, img := range s.Images(r.Descriptor) {
			config, _, err := s.ReadConfig(img.Manifest.Config)
			if err != nil || len(config.RootFS.DiffIDs) != 2 {
				t.Fatalf("%s: %s: %v", when, r, err)
			}
		}
	}
	if out, err := child("script", dir).CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "end\n") {
		t.Fatalf("%s: run again: %v\n%s", when, err, out)
	}
	if faults, err := s.Verify(ctx, nil); err != nil || len(faults) > 0 {
		t.Fatalf("%s: after another run: %v %v", when, err, faults)
	}
	u, err := s.Usage()
	if err != nil || u.Blobs != 4 || u.Layers != 2 || u.PartialBytes != 0 {
		t.Fatalf("%s: gc left %+v, %v", when, u, err)
	}
	if left, err := s.tmp.names(); err != nil || len(left) > 0 {
		t.Fatalf("%s: gc left %v in tmp, %v", when, left, err)
	}
}

// TestKilledAtAnyTime needs no strace: it kills at times that chance chooses.
func TestKilledAtAnyTime(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for i := range rounds {
		dir := t.TempDir() + "/store"
		cmd := child("script", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(i)*700*time.Microsecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // killed, or done before
		timer.Stop()
		afterKill(t, dir, "round "+strconv.Itoa(i))
	}
}

// writer pulls images again and again; nothing that it holds Use for may vanish.
func writer(s *Store) error {
	id := strconv.Itoa(os.Getpid())
	for i := range 40 {
		err := func() error {
			release, err := s.Use(ctx)
			if err != nil {
				return err
			}
			defer release()
			// All writers share the base; the others are made and dropped in turn.
			m, err := put(s, "base", "of all, in turn "+strconv.Itoa(i%3), id+" "+strconv.Itoa(i))
			if err != nil {
				return err
			}
			if _, err := s.Size(m.layers[0].Digest); err != nil {
				return err
			}
			for _, chain := range m.chains {
				path, ok := s.Layer(chain)
				if !ok {
					return errors.New("a layer vanished: " + chain.String())
				}
				if _, err := os.ReadFile(path + "/file"); err != nil {
					return err
				}
			}
			return s.Tag(reference("app-"+id), m.Descriptor)
		}()
		if err != nil {
			return err
		}
	}
	return nil
}

// collect runs gc until its stdin ends.
func collect(s *Store) error {
	end := make(chan struct{})
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1)) // its end is the message
		close(end)
	}()
	for n := 0; ; n++ {
		select {
		case <-end:
			_, err := os.Stdout.WriteString(strconv.Itoa(n))
			return err
		default:
		}
		if _, err := s.GC(ctx, GCOptions{NoWait: true}); err != nil && !errors.Is(err, ErrBusy) {
			return err
		}
	}
}

func TestWritersAndGC(t *testing.T) {
	s := open(t, Options{})
	collector := child("gc", s.Dir())
	in, err := collector.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var rounds, failed bytes.Buffer
	collector.Stdout, collector.Stderr = &rounds, &failed
	if err := collector.Start(); err != nil {
		t.Fatal(err)
	}
	var writers []*exec.Cmd
	var said [2]bytes.Buffer
	for i := range said {
		w := child("writer", s.Dir())
		w.Stderr = &said[i]
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	for i, w := range writers {
		if err := w.Wait(); err != nil {
			t.Errorf("writer: %v %s", err, &said[i])
		}
	}
	in.Close()
	if err := collector.Wait(); err != nil {
		t.Errorf("gc: %v %s", err, &failed)
	}
	t.Logf("gc ran or was refused %s times", &rounds)
	sound(t, s)
	refs, err := s.Refs()
	if err != nil || len(refs) != len(writers) {
		t.Errorf("%d names, %v", len(refs), err)
	}
	for _, r := range refs {
		if images := s.Images(r.Descriptor); len(images) != 1 || len(images[0].Manifest.Layers) != 3 {
			t.Errorf("%s is not whole", r)
		}
	}
}

// TestLocksAreReleased: locks exclude while their process lives, and no longer.
func TestLocksAreReleased(t *testing.T) {
	s := open(t, Options{})
	d := describe("x", []byte("content"))
	cmd := child("hold", s.Dir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GC(t.Context(), GCOptions{NoWait: true}); !errors.Is(err, ErrBusy) {
		t.Errorf("gc beside a user of the store: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Ingest(short, d); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second fetch of the same: %v", err)
	}
	if _, err := s.NewLayer(short, d.Digest); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second unpacking of the same: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	in, err := s.Ingest(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if in.Have() != 3 {
		t.Errorf("%d bytes are left of 3", in.Have())
	}
	if err := in.Discard(); err != nil {
		t.Error(err)
	}
	w, err := s.NewLayer(t.Context(), d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(w.Dir() + "/left"); err == nil {
		t.Error("what the killed process unpacked is still there")
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if _, err := s.GC(t.Context(), GCOptions{}); err != nil {
		t.Error(err)
	}
}

func init() {
	// hold takes every lock there is and waits to be killed.
	roles["hold"] = func(s *Store) error {
		d := describe("x", []byte("content"))
		if _, err := s.Use(ctx); err != nil {
			return err
		}
		in, err := s.Ingest(ctx, d)
		if err != nil {
			return err
		}
		if _, err := in.Write([]byte("con")); err != nil {
			return err
		}
		w, err := s.NewLayer(ctx, d.Digest)
		if err != nil {
			return err
		}
		if err := os.WriteFile(w.Dir()+"/left", nil, 0o600); err != nil {
			return err
		}
		fmt.Print("x")
		return unix.Pause()
	}
}
