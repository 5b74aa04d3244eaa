package creds

import (
	"os"
	"syscall"
	"testing"
)

// leaked is the number of an fd of the outside.
const leaked = 50

func init() {
	// jail enters Args[0] as root with a procfs in it, holding an fd of the outside's
	// root, as a leaking caller leaves it, and does Args[2] with Args[1].
	roles["jail"] = func(r request) error {
		root := r.Args[0]
		fd, err := syscall.Open("/", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		if err := syscall.Dup3(fd, leaked, 0); err != nil {
			return err
		}
		if err := os.MkdirAll(root+"/proc", 0o755); err != nil {
			return err
		}
		if err := syscall.Mount("proc", root+"/proc", "proc", 0, ""); err != nil {
			return err
		}
		if err := syscall.Chroot(root); err != nil {
			return err
		}
		if err := syscall.Chdir("/"); err != nil {
			return err
		}
		cwd := r.Args[1]
		switch r.Args[2] {
		case "chdir":
			return Chdir(cwd)
		case "make":
			in, err := syscall.Open("/", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
			if err != nil {
				return err
			}
			if err := MakeCwd(in, cwd); err != nil {
				return err
			}
			return Chdir(cwd)
		}
		_, err = os.Stdout.WriteString(Home(0))
		return err
	}
}

func jail(t *testing.T, root, arg, what string) result {
	t.Helper()
	return child(t, "jail", request{Args: []string{root, arg, what}}, syscall.CLONE_NEWNS|syscall.CLONE_NEWPID)
}

func TestChdir(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	if err := os.WriteFile(root+"/file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	fault := func(cwd, cause string) string {
		return `chdir to cwd ("` + cwd + `") set in config.json failed: ` + cause
	}
	jail(t, root, "/none", "chdir").mustFail(t, fault("/none", "no such file or directory"))
	jail(t, root, "/file", "chdir").mustFail(t, fault("/file", "not a directory"))
	jail(t, root, "/proc", "chdir").mustSucceed(t)
	// CVE-2024-21626: through a directory of the host that was left open.
	for _, name := range []string{"/proc/self/fd/50", "/proc/1/fd/50", "/proc/self/fd/50/usr"} {
		res := jail(t, root, name, "chdir")
		if want := fault(name, "the directory lies outside the container's root"); !contains(res.stderr, want) {
			t.Errorf("%s: %s, want %s", name, res.stderr, want)
		}
	}
}

func TestMakeCwd(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	if err := os.Symlink("/real", root+"/link"); err != nil {
		t.Fatal(err)
	}
	jail(t, root, "/a/b/c", "make").mustSucceed(t)
	jail(t, root, "/link/x", "make").mustSucceed(t)
	for _, dir := range []string{"/a/b/c", "/real/x"} {
		if st, err := os.Stat(root + dir); err != nil || !st.IsDir() {
			t.Errorf("%s was not made: %v", dir, err)
		}
	}
	if res := jail(t, root, "/proc/self/fd/50/owned", "make"); res.code != 99 {
		t.Errorf("a magic link was followed: %s", res.stderr)
		_ = os.Remove("/owned")
	}
}

func TestHomeOfHostilePasswd(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	etc := root + "/etc"
	if err := os.Mkdir(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	line := "0:x:1000:0::/wrong:\nuser:x:0:0:,,,:/home/user:/bin/sh\n"
	for _, c := range []struct {
		name string
		make func(path string) error
		want string
	}{
		{"plain", func(p string) error { return os.WriteFile(p, []byte(line), 0o644) }, "/home/user"},
		{"missing", func(string) error { return nil }, "/"},
		{"fifo", func(p string) error { return syscall.Mkfifo(p, 0o644) }, "/"},
		{"device", func(p string) error { return syscall.Mknod(p, syscall.S_IFCHR|0o644, 1<<8|5) }, "/"},
		{"directory", func(p string) error { return os.Mkdir(p, 0o755) }, "/"},
		{"magic link", func(p string) error { return os.Symlink("/proc/self/fd/50/etc/passwd", p) }, "/"},
		{"link inside", func(p string) error {
			if err := os.WriteFile(root+"/other", []byte(line), 0o644); err != nil {
				return err
			}
			return os.Symlink("/other", p)
		}, "/home/user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := etc + "/passwd"
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			res := jail(t, root, "", "home")
			res.mustSucceed(t)
			if res.stdout != c.want {
				t.Errorf("home is %q, want %q", res.stdout, c.want)
			}
		})
	}
}
