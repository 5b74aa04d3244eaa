package spelling

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"same", "same", 0},
		{"busibox", "busybox", 1}, {"alpin", "alpine", 1}, {"staet", "state", 1}, {"ca", "abc", 3},
		{"lst", "list", 1}, {"froce", "force", 1}, {"statr", "state", 1}, {"ab", "ba", 1}, {"kitten", "sitting", 3},
	} {
		if got := Distance(c.a, c.b); got != c.want || Distance(c.b, c.a) != got {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
	if !Near("state", 1) || Near("state", 2) || Near("ps", 1) {
		t.Error("what is near has changed")
	}
}
