package idmap

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "uid_map")
	for text, want := range map[string][]Map{
		"":                                   nil,
		"         0          0 4294967295\n": {{0, 0, 4294967295}},
		"0 1000 1\n1 100000 65536\n":         {{0, 1000, 1}, {1, 100000, 65536}},
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(file); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0 0\n", "0 0 4294967296\n", "0 -1 1\n", "0 0 1 1\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(file); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestHost(t *testing.T) {
	maps := []Map{{0, 1000, 1}, {1, 100000, 10}, {4294967290, 5, 5}}
	for id, want := range map[uint32]uint32{0: 1000, 1: 100000, 10: 100009, 4294967294: 9} {
		if got, ok := Host(maps, id); got != want || !ok {
			t.Errorf("%d: %d, %v", id, got, ok)
		}
	}
	for _, id := range []uint32{11, 4294967289, 4294967295} {
		if got, ok := Host(maps, id); ok {
			t.Errorf("%d: %d", id, got)
		}
	}
}
