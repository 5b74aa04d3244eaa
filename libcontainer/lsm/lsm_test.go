package lsm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"berth/internal/safepath"
)

const roleEnv = "BERTH_LSM_ROLE"

// TestMain turns the process into the hostile part of TestFakeAttr, when asked to.
func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	if err := fakeAttr(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func enabled(module string) bool {
	data, err := os.ReadFile("/sys/kernel/security/lsm")
	return err == nil && strings.Contains(","+strings.TrimSpace(string(data))+",", ","+module+",")
}

func proc(t *testing.T) *safepath.Proc {
	t.Helper()
	p, err := safepath.OpenProc()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestAbsentModuleIsAnError(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := proc(t)
	if !enabled("apparmor") {
		err := AppArmor(p, "docker-default")
		if err == nil || !strings.HasPrefix(err.Error(), `set apparmor profile "docker-default": `) || !strings.Contains(err.Error(), "write `/proc/thread-self/attr/") {
			t.Errorf("AppArmor: %v", err)
		}
		var errno syscall.Errno
		if !errors.As(err, &errno) {
			t.Errorf("no errno in %v", err)
		}
	}
	if !enabled("selinux") {
		const label = "system_u:system_r:container_t:s0:c1,c2"
		err := SELinux(p, label)
		if err == nil || !strings.Contains(err.Error(), `set selinux label "`+label+`": `) {
			t.Errorf("SELinux: %v", err)
		}
		if err := SELinuxKeyring(p, ""); err == nil || !strings.HasPrefix(err.Error(), `set selinux label "" for keyrings: `) {
			t.Errorf("SELinuxKeyring: %v", err)
		}
	}
}

func TestUnknownProfile(t *testing.T) {
	if os.Getuid() != 0 || !enabled("apparmor") {
		t.Skip("needs root and AppArmor")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := AppArmor(proc(t), "berth-test-no-such-profile")
	if !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "it is not loaded") {
		t.Error(err)
	}
}

// TestFakeAttr mounts a tmpfs over the label files, as the attack of
// CVE-2019-16884 does: nothing may be written there.
func TestFakeAttr(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleEnv+"=fake")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func fakeAttr() error {
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return err
	}
	const dir = "/proc/thread-self/attr"
	if err := syscall.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	for _, name := range []string{"exec", "keycreate", "apparmor/exec"} {
		if err := os.MkdirAll(dir+"/apparmor", 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(dir+"/"+name, nil, 0o666); err != nil {
			return err
		}
	}
	mounted, err := safepath.HostProc()
	if err != nil {
		return err
	}
	for _, err := range []error{AppArmor(mounted, "x"), SELinux(mounted, "x"), SELinuxKeyring(mounted, "x")} {
		if !safepath.IsRefusal(err) {
			return errors.New("through the mounted procfs: not refused: " + text(err))
		}
	}
	private, err := safepath.OpenProc()
	if err != nil {
		return err
	}
	for _, err := range []error{AppArmor(private, "x"), SELinux(private, "x")} {
		if err == nil && !enabled("apparmor") && !enabled("selinux") {
			return errors.New("through a private procfs: the label went somewhere")
		}
	}
	for _, name := range []string{"exec", "keycreate", "apparmor/exec"} {
		if data, err := os.ReadFile(dir + "/" + name); err != nil || len(data) != 0 {
			return errors.New(name + " of the tmpfs was written: " + string(data) + text(err))
		}
	}
	return nil
}

func text(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
