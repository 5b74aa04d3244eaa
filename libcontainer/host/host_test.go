package host

import (
	"errors"
	"os"
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
