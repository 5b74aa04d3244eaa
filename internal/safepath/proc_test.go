package safepath

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"berth/internal/linux"
)

// isolatedEnv names the test function that a re-executed test binary runs in a
// mount namespace of its own.
const isolatedEnv = "SAFEPATH_ISOLATED"

func TestMain(m *testing.M) {
	if name := os.Getenv(isolatedEnv); name != "" {
		runtime.LockOSThread()
		if err := isolated[name](); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var isolated = map[string]func() error{
	"covered":  coveredProc,
	"replaced": replacedProc,
}

func runIsolated(t *testing.T, name string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root for a mount namespace")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), isolatedEnv+"="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestCoveredProc(t *testing.T)  { runIsolated(t, "covered") }
func TestReplacedProc(t *testing.T) { runIsolated(t, "replaced") }

// coveredProc puts mounts on files of /proc: the private procfs shows none of
// them, the host's refuses to cross them.
func coveredProc() error {
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return err
	}
	// A bind of one file of procfs over another is on the same file system: only
	// the mount differs.
	if err := syscall.Mount("/proc/uptime", "/proc/sys/kernel/hostname", "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", "/proc/sys/net", "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := os.MkdirAll("/proc/sys/net/ipv4", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", nil, 0o644); err != nil {
		return err
	}
	for _, walked := range []bool{false, true} {
		noOpenat2.Store(walked)
		if err := openCovered(); err != nil {
			return fmt.Errorf("walked %v: %w", walked, err)
		}
	}
	return nil
}

func openCovered() error {
	host, err := HostProc()
	if err != nil {
		return err
	}
	defer host.Close()
	for _, p := range []string{"sys/kernel/hostname", "sys/net/ipv4/ip_forward", "self/root", "self/fd/0", "/sys", "../etc"} {
		fd, err := host.Open(p, syscall.O_RDONLY)
		if !IsRefusal(err) {
			return fmt.Errorf("host's %s: fd %d, want a refusal: %w", p, fd, err)
		}
	}
	private, err := OpenProc()
	if err != nil {
		return err
	}
	defer private.Close()
	for _, p := range []string{"sys/kernel/hostname", "sys/net/ipv4/ip_forward"} {
		fd, err := private.Open(p, syscall.O_RDONLY)
		if err != nil {
			return fmt.Errorf("private %s: %w", p, err)
		}
		buf := make([]byte, 256)
		if n, err := syscall.Read(fd, buf); err != nil || n == 0 {
			return fmt.Errorf("private %s: read %d bytes, %w", p, n, err)
		}
		closeFD(fd)
	}
	return nil
}

// replacedProc mounts something else on /proc: a procfs's subdirectory, then a
// tmpfs that imitates a procfs.
func replacedProc() error {
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return err
	}
	if err := syscall.Mount("/proc/1", "/proc", "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	if _, err := HostProc(); !IsRefusal(err) {
		return fmt.Errorf("a subdirectory of procfs on /proc, want a refusal: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/proc", "tmpfs", 0, ""); err != nil {
		return err
	}
	if _, err := HostProc(); !IsRefusal(err) || !strings.Contains(err.Error(), "/proc") {
		return fmt.Errorf("a tmpfs on /proc, want a refusal: %w", err)
	}
	if _, err := Reopen(0, syscall.O_RDONLY); !IsRefusal(err) {
		return fmt.Errorf("reopen through a tmpfs, want a refusal: %w", err)
	}
	private, err := OpenProc()
	if err != nil {
		return fmt.Errorf("private procfs: %w", err)
	}
	defer private.Close()
	fd, err := private.OpenThreadSelf("status", syscall.O_RDONLY)
	if err != nil {
		return err
	}
	closeFD(fd)
	return nil
}

func TestReopen(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	bothWays(t, func(t *testing.T) {
		root, path := tree(t)
		o, err := OpenInRoot(root, "a/file", linux.O_PATH)
		must(t, err)
		defer closeFD(o)
		must(t, os.Remove(path+"/a/file"))
		w, err := Reopen(o, syscall.O_RDWR)
		must(t, err)
		defer closeFD(w)
		if inode(t, o) != inode(t, w) {
			t.Error("another inode")
		}
		if _, err := syscall.Write(w, []byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := Reopen(99999, syscall.O_RDONLY); err == nil {
			t.Error("an fd that is not open was reopened")
		}
	})
}
