package readfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/internal/readfile"
)

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	for _, size := range []int{0, 1, 511, 512, 513, 100_000} {
		want := strings.Repeat("x", size)
		if err := os.WriteFile(name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readfile.Read(name, size); err != nil || string(got) != want {
			t.Errorf("%d bytes: %d bytes, %v", size, len(got), err)
		}
		if _, err := readfile.Read(name, size-1); size > 0 && !errors.Is(err, readfile.ErrTooLarge) {
			t.Errorf("%d bytes, limit %d: %v", size, size-1, err)
		}
	}
	if got, err := readfile.Read("/proc/self/mountinfo", 1<<20); err != nil || len(got) == 0 {
		t.Errorf("a kernel file: %d bytes, %v", len(got), err)
	}
	if _, err := readfile.Read(name+"x", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := readfile.Read(t.TempDir(), 1); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
}
