package creds

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// restricted puts a thread under l, calls do on it and ends it.
func restricted(t *testing.T, l *wire.Landlock, do func()) (warnings []string, err error) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = NoNewPrivs(); err != nil {
			return
		}
		warn := func(text string) { warnings = append(warnings, text) }
		if err = Landlock(&wire.Process{Landlock: l}, warn); err == nil {
			do()
		}
	}()
	<-done
	return warnings, err
}

func needABI(t *testing.T, abi int) {
	t.Helper()
	if has, err := linux.LandlockABI(); err != nil || has < abi {
		t.Skipf("needs Landlock ABI %d, this kernel has %d (%v)", abi, has, err)
	}
}

// attemptOpen opens on the calling thread.
func attemptOpen(path string, flags int) error {
	fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC, 0o644)
	if err == nil {
		closeFd(fd)
	}
	return err
}

func TestLandlockPaths(t *testing.T) {
	needABI(t, 1)
	dir := t.TempDir()
	in, out, file := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "file")
	for _, d := range []string{in, out} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{file, in + "/f", out + "/f"} {
		if err := os.WriteFile(f, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := uint64(linux.LandlockFSReadFile | linux.LandlockFSWriteFile | linux.LandlockFSReadDir | linux.LandlockFSMakeReg)
	l := &wire.Landlock{FS: all, Paths: []wire.LandlockPath{
		{Path: in, Access: all},
		// Rights of directories mean nothing for a file, and must not spoil the rule.
		{Path: file, Access: linux.LandlockFSReadFile | linux.LandlockFSReadDir},
		{Path: dir + "/nothere", Access: all},
	}}
	warnings, err := restricted(t, l, func() {
		for _, test := range []struct {
			path  string
			flags int
			want  error
		}{
			{in + "/f", syscall.O_RDWR, nil},
			{in + "/new", syscall.O_RDWR | syscall.O_CREAT, nil},
			{in, syscall.O_RDONLY | syscall.O_DIRECTORY, nil},
			{file, syscall.O_RDONLY, nil},
			{file, syscall.O_WRONLY, syscall.EACCES},
			{out + "/f", syscall.O_RDONLY, syscall.EACCES},
			{out + "/new", syscall.O_RDWR | syscall.O_CREAT, syscall.EACCES},
			{out, syscall.O_RDONLY | syscall.O_DIRECTORY, syscall.EACCES},
		} {
			if err := attemptOpen(test.path, test.flags); !errors.Is(err, test.want) {
				t.Errorf("open %s with %#x: %v, want %v", test.path, test.flags, err, test.want)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "landlock: no rule for ") {
		t.Errorf("warnings %q", warnings)
	}
	// Nothing of that holds for other threads.
	if err := attemptOpen(out+"/f", syscall.O_RDONLY); err != nil {
		t.Error(err)
	}
	l.Strict = true
	if _, err := restricted(t, l, func() {}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("strict, with a path that is missing: %v", err)
	}
}

func TestLandlockPorts(t *testing.T) {
	needABI(t, 4)
	fds := make([]int, 2)
	port := func(i int) uint64 {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			t.Fatal(err)
		}
		a, err := syscall.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
		return uint64(a.(*syscall.SockaddrInet4).Port)
	}
	// Two ports that nobody has: held, and given back right before.
	allowed, other := port(0), port(1)
	l := &wire.Landlock{Net: linux.LandlockNetBindTCP, Ports: []wire.LandlockPort{{Port: allowed, Access: linux.LandlockNetBindTCP}}}
	_, err := restricted(t, l, func() {
		for i, p := range []uint64{allowed, other} {
			closeFd(fds[i])
			fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
				return
			}
			err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(p), Addr: [4]byte{127, 0, 0, 1}})
			closeFd(fd)
			if (p == allowed) != (err == nil) || p == other && !errors.Is(err, syscall.EACCES) {
				t.Errorf("bind to port %d, allowed %d: %v", p, allowed, err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An older kernel gets what it knows, and is told apart when that is not enough.
func TestLandlockABI(t *testing.T) {
	whole := wire.Landlock{FS: 1<<16 - 1, Net: 3, Scoped: 3}
	for _, test := range []struct {
		abi  int
		want linux.LandlockRuleset
		says string
	}{
		{1, linux.LandlockRuleset{FS: 1<<13 - 1}, "(ABI 1) does not know handledAccessFS 0xe000 handledAccessNet 0x3 scoped 0x3"},
		{2, linux.LandlockRuleset{FS: 1<<14 - 1}, "handledAccessFS 0xc000 handledAccessNet 0x3 scoped 0x3"},
		{3, linux.LandlockRuleset{FS: 1<<15 - 1}, "handledAccessFS 0x8000 handledAccessNet 0x3 scoped 0x3"},
		{4, linux.LandlockRuleset{FS: 1<<15 - 1, Net: 3}, "handledAccessFS 0x8000 scoped 0x3"},
		{5, linux.LandlockRuleset{FS: 1<<16 - 1, Net: 3}, "does not know scoped 0x3"},
		{6, linux.LandlockRuleset{FS: 1<<16 - 1, Net: 3, Scoped: 3}, ""},
		{99, linux.LandlockRuleset{FS: 1<<16 - 1, Net: 3, Scoped: 3}, ""},
	} {
		l := whole
		said := ""
		got, err := handle(&l, test.abi, func(text string) { said = text })
		if err != nil || got != test.want || !strings.HasSuffix(said, test.says) || (said == "") != (test.says == "") {
			t.Errorf("ABI %d: %+v, %v, %q", test.abi, got, err, said)
		}
		l.Strict = true
		if _, err := handle(&l, test.abi, nil); (err != nil) != (test.says != "") {
			t.Errorf("ABI %d, strict: %v", test.abi, err)
		}
	}
}
