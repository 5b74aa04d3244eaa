package cli

import (
	"os"
	"testing"

	"berth/internal/idmap"
	"berth/libcontainer"
)

func TestSetRoot(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	user := "/run/berth"
	if !hostRoot() {
		user = "/xdg/berth"
	}
	for _, c := range []struct {
		root  string
		given bool
		xdg   string
		want  string
	}{
		{"/a/b/", true, "/xdg", "/a/b"},
		{"rel", true, "", wd + "/rel"},
		{"", false, "", "/run/berth"},
		{"", false, "/xdg", user},
		{"", true, "/xdg", ""},
		{"/", true, "", ""},
		{"/..", true, "", ""},
	} {
		t.Setenv("XDG_RUNTIME_DIR", c.xdg)
		var rt libcontainer.Runtime
		err := setRoot(&rt, c.root, c.given)
		if (err != nil) != (c.want == "") || (err == nil && rt.Root != c.want) {
			t.Errorf("%+v: %q, %v", c, rt.Root, err)
		}
		if rt.StickyRoot != (rt.Root == "/xdg/berth") {
			t.Errorf("%+v: sticky %v", c, rt.StickyRoot)
		}
	}
}

func TestCgroupDriver(t *testing.T) {
	for _, c := range []struct {
		manager string
		systemd bool
		want    string
	}{
		{"", false, "cgroupfs"}, {"", true, "systemd"}, {"cgroupfs", false, "cgroupfs"},
		{"systemd", false, "systemd"}, {"disabled", true, "disabled"}, {"none", false, ""},
	} {
		if got, err := cgroupDriver(c.manager, c.systemd); got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

func TestRootless(t *testing.T) {
	for flag, want := range map[string]bool{"true": true, "false": false, "1": true, "0": false} {
		if got, err := rootless(flag, false); got != want || err != nil {
			t.Errorf("%s: %v, %v", flag, got, err)
		}
	}
	auto, err := rootless("auto", false)
	if err != nil || auto != (os.Geteuid() != 0 || idmap.Inside()) {
		t.Errorf("auto: %v, %v", auto, err)
	}
	if _, err := rootless("maybe", false); err == nil {
		t.Error("maybe was accepted")
	}
}
