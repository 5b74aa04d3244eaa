package accounts

import (
	"fmt"
	"strings"
	"testing"
)

const passwdFile = `root:x:0:0:root:/root:/bin/sh
1000:x:0:0::/:
broken
worker:x:1000:1001::/home:/bin/sh
worker:x:0:0::/:
minus:x:-1:0::/:
large:x:4294967295:0::/:
`

const groupFile = `root:x:0:
wheel:x:10:worker,other
audio:x:29:other
tape:x:26:other,worker
bad:x:x:worker
large:x:4294967296:worker
`

func TestFindUser(t *testing.T) {
	for name, want := range map[string]string{
		"root": "0 0 true", "worker": "1000 1001 true", "minus": "0 0 false", "large": "0 0 false", "none": "0 0 false", "broken": "0 0 false",
	} {
		uid, gid, ok := findUser([]byte(passwdFile), name)
		if !ok {
			uid, gid = 0, 0
		}
		if got := fmt.Sprint(uid, gid, ok); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestFindGroup(t *testing.T) {
	if gid, ok := findGroup([]byte(groupFile), "wheel"); gid != 10 || !ok {
		t.Error(gid, ok)
	}
	for _, name := range []string{"none", "bad", "large", ""} {
		if gid, ok := findGroup([]byte(groupFile), name); ok {
			t.Error(name, gid)
		}
	}
	if got := fmt.Sprint(GroupsOf([]byte(groupFile), "worker")); got != "[10 26]" {
		t.Error(got)
	}
	// A line longer than any that is meant, and no end.
	long := "x:x:5:" + strings.Repeat("worker,", 1<<16)
	if got := GroupsOf([]byte(long), "worker"); got != nil {
		t.Error(got)
	}
}

func FuzzUser(f *testing.F) {
	for _, s := range []string{"0", "root", "1:2", "a:b", ":", "-1", "4294967295", "1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseUser(s)
		if err != nil {
			return
		}
		// Root is only what says so.
		user, _, _ := strings.Cut(s, ":")
		if u.Name == "" && u.UID == 0 && strings.Trim(user, "0") != "" {
			t.Errorf("%q is root", s)
		}
		if u.Name != "" && u.Name != user {
			t.Errorf("%q: name %q", s, u.Name)
		}
	})
}
