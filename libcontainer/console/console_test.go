package console

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

const roleEnv = "BERTH_CONSOLE_ROLE"

// A test process plays a container in a mount namespace of its own: its root
// directory is the one named by dirEnv.
const dirEnv = "BERTH_CONSOLE_ROOT"

var roles = map[string]func(root string) error{
	"session": session, "attached": attached, "pipes": pipes,
	"symlinked ptmx": symlinkedPtmx, "no devpts": noDevpts,
}

func TestMain(m *testing.M) {
	role := roles[os.Getenv(roleEnv)]
	if role == nil {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	if err := role(os.Getenv(dirEnv)); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func command(role, root string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleEnv+"="+role, dirEnv+"="+root)
	return cmd
}

func run(t *testing.T, role string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	cmd := command(role, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Setsid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestSession(t *testing.T) { run(t, "session") }

func TestRefusesSymlinkedPtmx(t *testing.T) { run(t, "symlinked ptmx") }

func TestRefusesPlainDirectory(t *testing.T) { run(t, "no devpts") }

// mountDevpts mounts an own devpts instance on dev/pts below root and returns an
// fd of root.
func mountDevpts(root string) (int, error) {
	if err := os.MkdirAll(root+"/dev/pts", 0o755); err != nil {
		return -1, err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return -1, err
	}
	if err := syscall.Mount("devpts", root+"/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620,gid=5"); err != nil {
		return -1, err
	}
	return linux.Openat(linux.AT_FDCWD, root, linux.O_PATH|syscall.O_DIRECTORY, 0)
}

// session opens a terminal, sends its master to itself and lets a child attach
// the slave and report through it.
func session(root string) error {
	dir, err := mountDevpts(root)
	if err != nil {
		return err
	}
	pty, err := Open(dir)
	if err != nil {
		return err
	}
	if err := pty.Resize(97, 31); err != nil {
		return err
	}
	socks, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := pty.Send(socks[0]); err != nil {
		return err
	}
	if pty.Master != -1 {
		return errors.New("the master is still open here")
	}
	master, name, err := wire.ReceiveFD(socks[1])
	if err != nil {
		return err
	}
	if string(name) != "/dev/pts/0" || pty.Number != 0 {
		return fmt.Errorf("the pty is called %q and has number %d, want that of a new devpts", name, pty.Number)
	}
	cmd := command("attached", root)
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(pty.Slave), "slave")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// The standard streams are /dev/null, to be replaced.
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := cmd.ExtraFiles[0].Close(); err != nil {
		return err
	}
	var screen bytes.Buffer
	for buf := make([]byte, 1024); ; {
		n, err := syscall.Read(master, buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			break // EIO: the last slave is closed
		}
		screen.Write(buf[:n])
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("on the terminal stands %q: %w", screen.String(), err)
	}
	if strings.TrimSpace(screen.String()) != "31 97" {
		return fmt.Errorf("on the terminal stands %q, want its size", screen.String())
	}
	return syscall.Close(master)
}

// attached has the slave as fd 3.
func attached(string) error {
	const uid = 1234
	if err := Attach(3, uid); err != nil {
		return err
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(3, &st); err != syscall.EBADF {
		return errors.New("fd 3 is still open")
	}
	var first syscall.Stat_t
	for fd := range 3 {
		var st syscall.Stat_t
		if err := syscall.Fstat(fd, &st); err != nil {
			return err
		}
		if fd == 0 {
			first = st
		}
		if st.Rdev != first.Rdev || st.Uid != uid || st.Gid != 5 {
			return fmt.Errorf("fd %d is not the terminal of uid %d: %+v", fd, uid, st)
		}
	}
	// Opens only for a process that has a controlling terminal.
	tty, err := syscall.Open("/dev/tty", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("no controlling terminal: %w", err)
	}
	if err := syscall.Close(tty); err != nil {
		return err
	}
	cmd := exec.Command("stty", "size")
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	return cmd.Run()
}

// CVE-2025-52565: /dev/pts of the image leads elsewhere.
func symlinkedPtmx(root string) error {
	if err := os.MkdirAll(root+"/dev/pts", 0o755); err != nil {
		return err
	}
	if err := os.Symlink("/dev/ptmx", root+"/dev/pts/ptmx"); err != nil {
		return err
	}
	dir, err := linux.Openat(linux.AT_FDCWD, root, linux.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	_, err = Open(dir)
	if err := expect(err, "open a terminal: /dev/pts: not a devpts file system"); err != nil {
		return err
	}
	// A bind mount over ptmx of a true devpts is noticed at the master.
	if dir, err = mountDevpts(root); err != nil {
		return err
	}
	if err := os.WriteFile(root+"/file", nil, 0o666); err != nil {
		return err
	}
	if err := syscall.Mount(root+"/file", root+"/dev/pts/ptmx", "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	_, err = Open(dir)
	return expect(err, "open a terminal: /dev/pts/ptmx: not a devpts file system")
}

// expect reports an error that does not read as want.
func expect(err error, want string) error {
	if err == nil || err.Error() != want {
		return errors.Join(errors.New("want: "+want), err)
	}
	return nil
}

func noDevpts(root string) error {
	dir, err := linux.Openat(linux.AT_FDCWD, root, linux.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	_, err = Open(dir)
	return expect(err, "open a terminal: /dev/pts: no such file or directory")
}

// TestChownPipes gives a child a pipe, /dev/null and a regular file.
func TestChownPipes(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := command("pipes", "")
	cmd.Stdout, cmd.Stderr = w, file // stdin: /dev/null
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct {
		file *os.File
		uid  uint32
	}{{r, 1234}, {file, 0}, {null, 0}} {
		st, err := c.file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); !ok || sys.Uid != c.uid {
			t.Errorf("%s belongs to %+v, want %d", c.file.Name(), st.Sys(), c.uid)
		}
	}
}

func pipes(string) error { return ChownPipes(1234) }
