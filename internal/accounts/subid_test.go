package accounts

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSubordinateRange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "subuid")
	text := "other:1:2\n\n# c\nbad:x:1\nme:100000:65536\n1000:200000:10\nhuge:4294967295:2\nzero:5:0\nme:7:8\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		uid  int
		name string
		want Range
	}{
		{5, "me", Range{100000, 65536}},
		{1000, "nobody", Range{200000, 10}},
		{7, "huge", Range{}},
		{7, "zero", Range{}},
		{7, "bad", Range{}},
		{7, "", Range{}},
	} {
		if got := SubordinateRange(file, c.uid, c.name); got != c.want {
			t.Errorf("%d %s: %v", c.uid, c.name, got)
		}
	}
	if got := SubordinateRange(file+".none", 5, "me"); got != (Range{}) {
		t.Error(got)
	}
}
