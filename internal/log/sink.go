package log

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sink is where lines go besides stderr.
type sink struct {
	kind  sinkKind
	fd    int
	ident string // of journald and syslog
}

type sinkKind int

const (
	toFile sinkKind = iota
	toJournal
	toSyslog
)

// The sockets of the two daemons; tests have their own.
var (
	journalSocket = "/run/systemd/journal/socket"
	syslogSocket  = "/dev/log"
)

// openSink opens PATH, file:PATH, journald:NAME or syslog:NAME, as crun knows them.
func openSink(path string) (sink, error) {
	kind, socket := toFile, ""
	scheme, rest, _ := strings.Cut(path, ":")
	switch scheme {
	case "file":
		path = rest
	case "journald":
		kind, socket = toJournal, journalSocket
	case "syslog":
		kind, socket = toSyslog, syslogSocket
	}
	if kind == toFile {
		// Not os.OpenFile: it would start the network poller for a single write.
		fd, err := openAppend(path)
		if err != nil {
			return sink{}, fmt.Errorf("open log %s: %w", path, err)
		}
		return sink{fd: fd}, nil
	}
	if rest == "" || strings.ContainsAny(rest, "\n\x00") {
		return sink{}, fmt.Errorf("log %q: want %s:NAME", path, scheme)
	}
	fd, err := connectDatagram(socket)
	if err != nil {
		return sink{}, fmt.Errorf("open log %s: connect to %s: %w", path, socket, err)
	}
	return sink{kind, fd, rest}, nil
}

func connectDatagram(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		_ = unix.Close(fd) // nothing was written
		return -1, err
	}
	return fd, nil
}

// maxDatagram keeps a line below what a daemon's socket takes in one piece.
const maxDatagram = 32 << 10

// priority is the severity of syslog(3).
func priority(level string) int {
	switch level {
	case "error":
		return 3
	case "warning":
		return 4
	}
	return 7
}

// message renders an entry for a daemon, which adds the time: a line of syslog, or
// fields of the journal's native protocol, one a line.
func (s *sink) message(e entry) []byte {
	text := oneLine(e.msg)
	if len(text) > maxDatagram {
		text = text[:maxDatagram]
	}
	if s.kind == toSyslog {
		const daemon = 3 << 3 // facility
		return []byte("<" + strconv.Itoa(daemon|priority(e.level)) + ">" + s.ident + "[" + strconv.Itoa(os.Getpid()) + "]: " + text)
	}
	return []byte("PRIORITY=" + strconv.Itoa(priority(e.level)) + "\nSYSLOG_IDENTIFIER=" + s.ident + "\nMESSAGE=" + text + "\n")
}
