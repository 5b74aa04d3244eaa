package accounts

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestSubordinateRanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "subuid")
	text := "other:1:2\n\n# c\nbad:x:1\nme:100000:65536\n1000:200000:10\nhuge:4294967295:2\nzero:5:0\nme:7:8\ntwice:10:10\ntwice:19:5\ntwice:20:5\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		uid  int
		name string
		want []Range
	}{
		{5, "me", []Range{{100000, 65536}, {7, 8}}},
		{1000, "nobody", []Range{{200000, 10}}},
		{1000, "me", []Range{{100000, 65536}, {200000, 10}, {7, 8}}},
		// Its own id is in one of them.
		{100000, "me", []Range{{7, 8}}},
		{7, "huge", nil},
		{7, "zero", nil},
		{7, "bad", nil},
		{7, "", nil},
		{9, "twice", []Range{{10, 10}, {20, 5}}},
	} {
		if got := SubordinateRanges(file, c.uid, c.name); !slices.Equal(got, c.want) {
			t.Errorf("%d %s: %v", c.uid, c.name, got)
		}
	}
	if got := SubordinateRanges(file+".none", 5, "me"); got != nil {
		t.Error(got)
	}
}

// FuzzRanges reads any text as /etc/subuid: what comes out can be mapped, no id twice.
func FuzzRanges(f *testing.F) {
	f.Add("me:100000:65536\nme:165535:2\n1000:0:4294967295\n", 1000, "me")
	f.Fuzz(func(t *testing.T, text string, uid int, name string) {
		list := ranges(text, uid, name)
		for i, r := range list {
			if r.Size == 0 || uint64(r.First)+uint64(r.Size) > 1<<32-1 {
				t.Errorf("%+v", r)
			}
			for _, other := range list[:i] {
				if r.overlaps(other) {
					t.Errorf("%+v overlaps %+v", r, other)
				}
			}
		}
	})
}
