package harness

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Pty is a pseudo-terminal made by the test; what arrives at its master is kept.
type Pty struct {
	x             *Test
	Master, Slave *os.File

	mutex sync.Mutex
	text  bytes.Buffer
}

// NewPty makes a pseudo-terminal with the given size.
func (x *Test) NewPty(rows, cols uint16) *Pty {
	x.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	x.Must(err)
	x.Must(unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	x.Must(err)
	path := fmt.Sprintf("/dev/pts/%d", n)
	slave, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	x.Must(err)
	x.Own(path)
	p := x.WatchPty(master)
	p.Slave = slave
	x.Cleanup(func() { _ = slave.Close() })
	p.Resize(rows, cols)
	return p
}

// WatchPty keeps what arrives at a master.
func (x *Test) WatchPty(master *os.File) *Pty {
	p := &Pty{x: x, Master: master}
	x.Cleanup(func() { _ = master.Close() })
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			p.mutex.Lock()
			p.text.Write(buffer[:n])
			p.mutex.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p
}

// Text returns what arrived so far.
func (p *Pty) Text() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.text.String()
}

// WaitFor waits until the text arrived.
func (p *Pty) WaitFor(text string) {
	p.x.Helper()
	if !poll(20*time.Second, func() bool { return strings.Contains(p.Text(), text) }) {
		p.x.Fatalf("waited in vain for %q on the terminal, which got %q", text, p.Text())
	}
}

// Type writes to the master.
func (p *Pty) Type(text string) {
	p.x.Helper()
	_, err := p.Master.WriteString(text)
	p.x.Must(err)
}

// Resize sets the window size.
func (p *Pty) Resize(rows, cols uint16) {
	p.x.Helper()
	p.x.Must(unix.IoctlSetWinsize(int(p.Master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}))
}

// Raw says that the terminal is in raw mode: no echo, no line editing, no signals.
func (p *Pty) Raw() bool {
	p.x.Helper()
	t, err := unix.IoctlGetTermios(int(p.Slave.Fd()), unix.TCGETS)
	p.x.Must(err)
	return t.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) == 0
}

// FDSocket is a Unix socket on which the runtime hands over a descriptor.
type FDSocket struct {
	x        *Test
	Path     string
	listener *net.UnixListener
}

// Received is one descriptor and the text sent along.
type Received struct {
	File *os.File
	Text string
}

// NewFDSocket listens on a socket in the test's directory.
func (x *Test) NewFDSocket(name string) *FDSocket {
	x.Helper()
	path := filepath.Join(x.Dir, name)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	x.Must(err)
	x.Own(path)
	x.Cleanup(func() { _ = listener.Close() })
	return &FDSocket{x: x, Path: path, listener: listener}
}

// Receive takes one descriptor.
func (s *FDSocket) Receive() Received {
	s.x.Helper()
	deadline := time.Now().Add(20 * time.Second * time.Duration(slowness()))
	s.x.Must(s.listener.SetDeadline(deadline))
	conn, err := s.listener.AcceptUnix()
	s.x.Must(err)
	defer func() { _ = conn.Close() }()
	s.x.Must(conn.SetDeadline(deadline))
	text, oob := make([]byte, 4096), make([]byte, 256)
	n, oobn, _, _, err := conn.ReadMsgUnix(text, oob)
	s.x.Must(err)
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	s.x.Must(err)
	if len(messages) != 1 {
		s.x.Fatalf("%s: %d control messages, text %q", s.Path, len(messages), text[:n])
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	s.x.Must(err)
	if len(fds) != 1 {
		s.x.Fatalf("%s: %d descriptors", s.Path, len(fds))
	}
	// Non-blocking lets a Read end when the file is closed.
	s.x.Must(unix.SetNonblock(fds[0], true))
	return Received{File: os.NewFile(uintptr(fds[0]), "received"), Text: string(text[:n])}
}
