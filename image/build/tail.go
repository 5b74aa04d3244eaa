package build

import (
	"bytes"
	"io"
	"sync"
)

// lastLines passes output on and keeps its end for the error message.
type lastLines struct {
	next io.Writer
	mu   sync.Mutex
	buf  []byte
}

// keptOutput is how much of the end is kept, in bytes.
const keptOutput = 8 << 10

func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.buf = append(l.buf, p...)
	if extra := len(l.buf) - keptOutput; extra > 0 {
		l.buf = append(l.buf[:0], l.buf[extra:]...)
	}
	l.mu.Unlock()
	return l.next.Write(p)
}

// String is the end of the output in whole lines.
func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.buf
	if len(out) == keptOutput {
		if i := bytes.IndexByte(out, '\n'); i >= 0 {
			out = out[i+1:]
		}
	}
	return string(bytes.TrimRight(out, "\n"))
}
