package store

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestGCMounts: cache mounts go with the build cache, but not the one that is in use.
func TestGCMounts(t *testing.T) {
	s := open(t, Options{})
	gc(t, s, GCOptions{Cache: true}) // there is no directory yet
	var held *os.File
	for _, name := range []string{"held", "old", "young", "unfinished"} {
		dir := filepath.Join(s.MountsDir(), name)
		if err := os.MkdirAll(filepath.Join(dir, "data/sub"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "data/sub/f"), make([]byte, 1000), 0o400); err != nil {
			t.Fatal(err)
		}
		if name == "unfinished" {
			continue
		}
		lock, err := os.Create(filepath.Join(dir, mountLock))
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
		if name == "held" {
			held = lock
		}
		if name != "young" {
			ago := time.Now().Add(-48 * time.Hour)
			if err := os.Chtimes(lock.Name(), ago, ago); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		o    GCOptions
		n    int
		left []string
	}{
		{GCOptions{}, 0, []string{"held", "old", "unfinished", "young"}},
		{GCOptions{Cache: true, DryRun: true}, 3, []string{"held", "old", "unfinished", "young"}},
		{GCOptions{Cache: true, CacheAge: 24 * time.Hour}, 1, []string{"held", "unfinished", "young"}},
		{GCOptions{Cache: true}, 2, []string{"held"}},
	} {
		r := gc(t, s, step.o)
		if r.Mounts != step.n || r.MountBytes != int64(1000*step.n) || r.Bytes() != r.MountBytes {
			t.Errorf("%+v: %d directories, %d bytes", step.o, r.Mounts, r.MountBytes)
		}
		entries, err := os.ReadDir(s.MountsDir())
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, e := range entries {
			left = append(left, e.Name())
		}
		if !slices.Equal(left, step.left) {
			t.Errorf("%+v: left %q, want %q", step.o, left, step.left)
		}
	}
	if tmp, err := os.ReadDir(filepath.Join(s.Dir(), "tmp")); err != nil || len(tmp) > 0 {
		t.Errorf("tmp: %v, %v", tmp, err)
	}
}
