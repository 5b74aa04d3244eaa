package layer

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDropNeedless: names that no layer below has are deleted, in directories that
// these have and in others; what hides something stays.
func TestDropNeedless(t *testing.T) {
	root(t)
	low, high, merged := t.TempDir(), t.TempDir(), t.TempDir()
	mustApply(t, low, pack(t,
		fileEntry("gone", ""), fileEntry("both/gone", ""), fileEntry("both/keep", ""), fileEntry("opaque/old", ""),
		fileEntry("replaced", ""), fileEntry("real/gone", ""), linkEntry("link", "real"),
	), ApplyOptions{})
	below := []*os.File{open(t, low)}
	archive := pack(t,
		fileEntry(".wh.gone", ""), fileEntry(".wh.never", ""),
		dirEntry("both"), fileEntry("both/.wh.gone", ""), fileEntry("both/.wh.never", ""),
		dirEntry("own/sub"), fileEntry("own/.wh.never", ""), fileEntry("own/sub/.wh.never", ""), fileEntry("own/sub/file", ""),
		dirEntry("opaque"), fileEntry("opaque/.wh..wh..opq", ""), fileEntry("opaque/.wh.old", ""),
		dirEntry("replaced"), fileEntry("replaced/.wh.never", ""),
		dirEntry("link"), fileEntry("link/.wh.gone", ""),
		linkEntry("way", "real"), dirEntry("real"), fileEntry("way/.wh.gone", ""),
		fileEntry("later/.wh.never", ""), fileEntry("later", "a file now"),
	)
	r := mustApply(t, high, archive, ApplyOptions{})
	times := func() (list []unix.Timespec) {
		for _, name := range r.Whiteouts {
			var st unix.Stat_t
			if err := unix.Lstat(filepath.Join(high, name), &st); err != nil {
				t.Fatal(err)
			}
			list = append(list, st.Mtim)
		}
		return list
	}
	before := times()
	if err := DropNeedless(context.Background(), open(t, high), r.Whiteouts, below); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, times()) {
		t.Error("the directories have other times")
	}
	if err := unix.Mount("overlay", merged, "overlay", 0, "lowerdir="+high+":"+low); err != nil {
		t.Skipf("no overlay here: %v", err)
	}
	defer unix.Unmount(merged, unix.MNT_DETACH) //nolint:errcheck // best effort
	// tree fails on a name that is listed and not found.
	var got []string
	for _, line := range tree(t, merged) {
		name, _, _ := strings.Cut(line, " ")
		got = append(got, name)
	}
	want := []string{".", "both", "both/keep", "later", "link", "opaque", "own", "own/sub", "own/sub/file", "real", "replaced", "way"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	// The lowest layer of an image hides nothing at all.
	lone := t.TempDir()
	r = mustApply(t, lone, archive, ApplyOptions{})
	if err := DropNeedless(context.Background(), open(t, lone), r.Whiteouts, nil); err != nil {
		t.Fatal(err)
	}
	for _, line := range tree(t, lone) {
		if strings.Contains(line, " 020000 ") && !strings.HasPrefix(line, "real/") {
			t.Errorf("left: %s", line)
		}
	}
}
