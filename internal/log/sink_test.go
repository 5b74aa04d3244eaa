package log

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// daemon listens in the place of journald or syslog.
func daemon(t *testing.T, socket *string) func() string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "socket")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	saved := *socket
	*socket = path
	t.Cleanup(func() {
		*socket = saved
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	})
	return func() string {
		buf := make([]byte, 1<<16)
		n, err := unix.Read(fd, buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestDaemons(t *testing.T) {
	pid := os.Getpid()
	for _, c := range []struct {
		path   string
		socket *string
		want   func(priority int, text string) string
	}{
		{"journald:web", &journalSocket, func(p int, text string) string {
			return fmt.Sprintf("PRIORITY=%d\nSYSLOG_IDENTIFIER=web\nMESSAGE=%s\n", p, text)
		}},
		{"syslog:web:1", &syslogSocket, func(p int, text string) string {
			return fmt.Sprintf("<%d>web:1[%d]: %s", 24+p, pid, text)
		}},
	} {
		read := daemon(t, c.socket)
		l, err := New(Options{Path: c.path, Debug: true})
		if err != nil {
			t.Fatal(err)
		}
		stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		l.stderr = int(stderr.Fd())
		l.Debug("noted")
		l.Warn("warned")
		// No line of the container's choosing becomes a field of its own.
		l.Error(errors.New("failed\nPRIORITY=0\x1b"))
		for _, want := range []string{c.want(7, "noted"), c.want(4, "warned"), c.want(3, `failed; PRIORITY=0\x1b`)} {
			if got := read(); got != want {
				t.Errorf("%s: %q, want %q", c.path, got, want)
			}
		}
		text, err := os.ReadFile(stderr.Name())
		if err != nil || string(text) != "berth: failed; PRIORITY=0\\x1b\n" {
			t.Errorf("%s: stderr %q, %v", c.path, text, err)
		}
		l.Error(errors.New(strings.Repeat("x", 1<<20)))
		if got := read(); len(got) < maxDatagram || len(got) > maxDatagram+100 {
			t.Errorf("%s: %d bytes", c.path, len(got))
		}
		if err := errors.Join(l.Close(), stderr.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestDaemonRefused(t *testing.T) {
	saved := journalSocket
	journalSocket = filepath.Join(t.TempDir(), "none")
	defer func() { journalSocket = saved }()
	for path, want := range map[string]string{
		"journald:x":     "open log journald:x: connect to " + journalSocket + ": no such file or directory",
		"journald:":      `log "journald:": want journald:NAME`,
		"syslog:a\nb":    `want syslog:NAME`,
		"file:/no/where": "open log /no/where: no such file or directory",
	} {
		if _, err := New(Options{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestFileScheme(t *testing.T) {
	path := filepath.Join(t.TempDir(), "syslog:x")
	l, err := New(Options{Path: "file:" + path})
	if err != nil {
		t.Fatal(err)
	}
	l.stderr = -1
	l.Error(errors.New("e"))
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), `msg="e"`) {
		t.Errorf("%q %v", text, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
