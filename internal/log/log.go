package log

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// Options say where the lines go.
type Options struct {
	// Path is the file lines are appended to; it is created. journald:NAME and
	// syslog:NAME send them to the host's daemon under that name. Empty: stderr.
	Path string
	// JSON writes {"level","msg","time"} objects, one a line, instead of text.
	JSON bool
	// Debug writes debug notes, and warnings at once.
	Debug bool
}

// Logger collects what a command has to say. Its methods may be called concurrently.
type Logger struct {
	opts    Options
	mu      sync.Mutex // of all below
	sink    sink       // its fd is -1 without one
	stderr  int
	waiting []entry
	now     func() time.Time
}

type entry struct {
	level, msg string
	at         time.Time
}

const stderrFD = 2

// New opens the log. The error names the file.
func New(o Options) (*Logger, error) {
	l := &Logger{opts: o, sink: sink{fd: -1}, stderr: stderrFD, now: time.Now}
	if o.Path == "" {
		return l, nil
	}
	s, err := openSink(o.Path)
	if err != nil {
		return nil, err
	}
	l.sink = s
	return l, nil
}

func openAppend(path string) (int, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_APPEND|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0o644)
		if !errors.Is(err, syscall.EINTR) {
			return fd, err
		}
	}
}

// Debug writes a note if debugging is on.
func (l *Logger) Debug(msg string) {
	if !l.opts.Debug {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(entry{"debug", msg, l.now()})
}

// Debugf is Debug with a format; the arguments are looked at only when debugging is on.
func (l *Logger) Debugf(format string, args ...any) {
	if l.opts.Debug {
		l.Debug(fmt.Sprintf(format, args...))
	}
}

// Warn keeps a warning until Flush; with Debug it is written at once.
func (l *Logger) Warn(msg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := entry{"warning", msg, l.now()}
	if l.opts.Debug {
		l.write(e)
		return
	}
	l.waiting = append(l.waiting, e)
}

// Warnf is Warn with a format.
func (l *Logger) Warnf(format string, args ...any) { l.Warn(fmt.Sprintf(format, args...)) }

// Error writes the one line of a command that failed, to the log file and to
// stderr, and drops the warnings that wait. Without a log file and with JSON the
// line on stderr is the object, else it is the sentence after "berth: ".
func (l *Logger) Error(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = nil
	e := entry{"error", err.Error(), l.now()}
	if l.sink.fd >= 0 {
		l.sendLine(e)
	} else if l.opts.JSON {
		writeAll(l.stderr, l.line(e))
		return
	}
	writeAll(l.stderr, []byte("berth: "+oneLine(e.msg)+"\n"))
}

// Flush writes the warnings that wait: the command has done its work, or, for
// run, the workload has started.
func (l *Logger) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.waiting {
		l.write(e)
	}
	l.waiting = nil
}

// Close closes the log file.
func (l *Logger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sink.fd < 0 {
		return nil
	}
	fd := l.sink.fd
	l.sink.fd = -1
	return syscall.Close(fd)
}

// sendLine writes to the file, or the daemon, of --log.
func (l *Logger) sendLine(e entry) {
	if l.sink.kind == toFile {
		writeAll(l.sink.fd, l.line(e))
		return
	}
	writeAll(l.sink.fd, l.sink.message(e))
}

// write sends a line below the level of an error: to the log file, or to a stderr
// that a person reads.
func (l *Logger) write(e entry) {
	switch {
	case l.sink.fd >= 0:
		l.sendLine(e)
	case l.opts.Debug || isTerminal(l.stderr):
		writeAll(l.stderr, l.line(e))
	}
}

// writeAll has nobody to report an error to: the log is where errors go.
func writeAll(fd int, p []byte) {
	for len(p) > 0 {
		n, err := syscall.Write(fd, p)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		p = p[n:]
	}
}

// Debugging tells whether debug notes are written: some cost time to collect.
func (l *Logger) Debugging() bool { return l.opts.Debug }
