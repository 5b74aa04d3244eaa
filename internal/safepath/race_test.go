package safepath

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"berth/internal/linux"
)

// swap exchanges two names as fast as it can until the test is over.
func swap(t *testing.T, a, b string) {
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			// A name may be missing for a moment in tests that make it.
			_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		}
	}()
	t.Cleanup(func() {
		stop.Store(true)
		<-done
	})
}

// A directory and a link to the outside change places while paths through them
// are opened and made: nothing outside is ever reached (CVE-2021-30465,
// CVE-2024-45310).
func TestSwapRace(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		base := t.TempDir()
		root, outside := filepath.Join(base, "root"), filepath.Join(base, "outside")
		must(t, os.MkdirAll(filepath.Join(root, "vol/dir"), 0o755))
		must(t, os.MkdirAll(outside, 0o755))
		must(t, os.WriteFile(filepath.Join(outside, "marker"), nil, 0o644))
		must(t, os.Symlink("../../outside", filepath.Join(root, "vol/link")))
		fd, err := linux.Openat(linux.AT_FDCWD, root, linux.O_PATH|syscall.O_DIRECTORY, 0)
		must(t, err)
		defer closeFD(fd)
		swap(t, filepath.Join(root, "vol/dir"), filepath.Join(root, "vol/link"))

		rounds := 20000
		if testing.Short() {
			rounds = 1000
		}
		for range rounds {
			if got, err := OpenInRoot(fd, "vol/dir/marker", linux.O_PATH); err == nil {
				closeFD(got)
				t.Fatal("the file outside was opened")
			}
			if got, err := MkdirAll(fd, "vol/dir/made", 0o755); err == nil {
				closeFD(got)
			}
			if got, err := MkFile(fd, "vol/dir/file", 0o644); err == nil {
				closeFD(got)
			}
		}
		if names := listing(t, outside, "marker"); names != "" {
			t.Errorf("made outside the root: %s", names)
		}
	})
}

// A directory moves up and down below ".." steps.
func TestDotDotRace(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		base := t.TempDir()
		root := filepath.Join(base, "root")
		must(t, os.MkdirAll(filepath.Join(root, "a/b/c"), 0o755))
		must(t, os.MkdirAll(filepath.Join(root, "x"), 0o755))
		must(t, os.WriteFile(filepath.Join(base, "marker"), nil, 0o644))
		fd, err := linux.Openat(linux.AT_FDCWD, root, linux.O_PATH|syscall.O_DIRECTORY, 0)
		must(t, err)
		defer closeFD(fd)
		swap(t, filepath.Join(root, "a/b/c"), filepath.Join(root, "x"))
		for range 5000 {
			if got, err := OpenInRoot(fd, "a/b/c/../../../../marker", linux.O_PATH); err == nil {
				closeFD(got)
				t.Fatal("the file outside was opened")
			} else if err != syscall.ENOENT {
				t.Fatalf("error %v, want ENOENT", err)
			}
		}
	})
}
