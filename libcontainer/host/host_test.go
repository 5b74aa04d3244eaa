package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	// The child in a user namespace executes this binary.
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Every answer has a reason and a name of its own.
func TestLook(t *testing.T) {
	r := Look("2.5.4")
	if r.Kernel == "" || r.Architecture == "" || r.CgroupLayout == "" {
		t.Errorf("%+v", r)
	}
	seen := map[string]bool{}
	for _, f := range r.Facts {
		key := f.Group + "/" + f.Name
		if f.Reason == "" || f.Group == "" || f.Name == "" || seen[key] {
			t.Errorf("%+v", f)
		}
		seen[key] = true
	}
	for _, want := range []string{"namespaces/user", "cgroups/memory", "security/landlock", "mounts/overlay", "rootless/newuidmap", "other/criu"} {
		if r.CgroupLayout != "none" && !seen[want] {
			t.Errorf("no %s", want)
		}
	}
}

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

func TestFilesystems(t *testing.T) {
	const list = "nodev\tsysfs\n\text4\nnodev\toverlay\n"
	if !hasFilesystem(list, "overlay") || !hasFilesystem(list, "ext4") || hasFilesystem(list, "over") || hasFilesystem(list, "nodev") {
		t.Error("wrong")
	}
}

// The reason names a sysctl only for errors that sysctls cause.
func TestUserNamespaceRefused(t *testing.T) {
	if got := UserNamespaceRefused(unix.EMFILE); got != "" {
		t.Error(got)
	}
	if got := UserNamespaceRefused(errors.Join(errors.New("x"), unix.ENOSPC)); !strings.Contains(got, "max_user_namespaces") {
		t.Error(got)
	}
}
