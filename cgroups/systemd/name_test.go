package systemd

import (
	"strings"
	"testing"

	"berth/cgroups"
)

func TestParseName(t *testing.T) {
	for _, c := range []struct {
		path, slice, unit, cgroup string
		user                      bool
	}{
		{"", "system.slice", "berth-id.scope", "/system.slice/berth-id.scope", false},
		{"", "user.slice", "berth-id.scope", "/user.slice/berth-id.scope", true},
		{":docker:x", "system.slice", "docker-x.scope", "/system.slice/docker-x.scope", false},
		{":docker:x", "user.slice", "docker-x.scope", "/user.slice/docker-x.scope", true},
		{"a-b-c.slice:p:x", "a-b-c.slice", "p-x.scope", "/a.slice/a-b.slice/a-b-c.slice/p-x.scope", false},
		{"-.slice:p:x", "-.slice", "p-x.scope", "/p-x.scope", false},
		{"s.slice::x", "s.slice", "x.scope", "/s.slice/x.scope", false},
		{"s.slice::cpu", "s.slice", "cpu.scope", "/s.slice/_cpu.scope", false},
		{"cgroup.slice:_p:x", "cgroup.slice", "_p-x.scope", "/_cgroup.slice/__p-x.scope", false},
		{"s.slice:p:a+b", "s.slice", `p-a\x2bb.scope`, `/s.slice/p-a\x2bb.scope`, false},
	} {
		n, err := parseName(&cgroups.Config{ID: "id", Path: c.path}, c.user)
		if err != nil {
			t.Errorf("%q: %v", c.path, err)
			continue
		}
		if n.slice != c.slice || n.unit != c.unit || n.path() != c.cgroup {
			t.Errorf("%q: %s %s %s", c.path, n.slice, n.unit, n.path())
		}
	}
}

func TestParseNameRefused(t *testing.T) {
	for path, want := range map[string]string{
		"/a/b":              "slice:prefix:name",
		"a:b":               "slice:prefix:name",
		"a:b:c:d":           "slice:prefix:name",
		"system:p:x":        "not the name of a slice",
		".slice:p:x":        "not the name of a slice",
		"-a.slice:p:x":      "not the name of a slice",
		"a-.slice:p:x":      "not the name of a slice",
		"a--b.slice:p:x":    "not the name of a slice",
		"../a.slice:p:x":    "not the name of a slice",
		"a/b.slice:p:x":     "not the name of a slice",
		"s.slice:p:":        "no name",
		"s.slice:p:x.slice": "cannot hold",
		"s.slice:p:" + long: "longer than",
		long + ".slice:p:x": "not the name of a slice",
		"s.slice:p:" + long[:200] + "+++++++++++++++": "longer than",
	} {
		if _, err := parseName(&cgroups.Config{ID: "id", Path: path}, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

var long = strings.Repeat("x", 256)

// No name leads out of the slice.
func TestEscapeUnit(t *testing.T) {
	for in, want := range map[string]string{"a/../b": `a\x2f..\x2fb`, "\x00é": `\x00\xc3\xa9`, "a:b_c.d-e@": `a:b_c.d-e\x40`} {
		if got := escapeUnit(in); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
}
