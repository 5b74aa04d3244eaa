package layer

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// Compression says how a layer is packed.
type Compression struct {
	Kind Kind
	// Level is that of the format: gzip 1 to 9, zstd 1 to 22. 0: the usual one.
	Level int
}

// Compress packs what is written. The bytes depend on the content and on c alone: not
// on the number of processors, the time or the sizes of the writes. Close ends the
// stream and does not close w.
func Compress(w io.Writer, c Compression) (io.WriteCloser, error) {
	switch c.Kind {
	case None:
		return nopCloser{w}, nil
	case Gzip:
		return newGzip(w, c.Level)
	case Zstd:
		if c.Level < 0 || c.Level > 22 {
			return nil, fmt.Errorf("compress with zstd: there is no level %d, only 1 to 22", c.Level)
		}
		level := zstd.SpeedDefault
		if c.Level > 0 {
			level = zstd.EncoderLevelFromZstd(c.Level)
		}
		// More than one goroutine would make other bytes: blocks then are cut by time.
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level))
	}
	return nil, fmt.Errorf("compression %d is not known", c.Kind)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

const (
	// gzipBlock is what one goroutine compresses, in bytes: the same on every host,
	// since it shows in the output. Larger blocks compress little better.
	gzipBlock = 1 << 20
	// gzipWindow is how far back deflate may refer.
	gzipWindow = 32 << 10
)

// gzipWriter makes one gzip member of blocks that are compressed side by side. Each
// but the last ends on a byte boundary with an empty stored block (RFC 1951, 3.2.4),
// and starts with the window of the one before, so that hardly any size is lost.
type gzipWriter struct {
	w     io.Writer
	level int
	sum   uint32
	size  uint32

	block  []byte // what is collected
	window []byte // the end of the block before
	ahead  chan chan packed
	slots  chan *flate.Writer
	done   chan error
	err    error
	closed bool
}

type packed struct {
	data []byte
	err  error
}

func newGzip(w io.Writer, level int) (*gzipWriter, error) {
	if level == 0 {
		level = 6
	}
	if level < 1 || level > 9 {
		return nil, fmt.Errorf("compress with gzip: there is no level %d, only 1 to 9", level)
	}
	// No name, no time, unknown system: RFC 1952 as `gzip -n` on any host.
	if _, err := w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}); err != nil {
		return nil, err
	}
	workers := max(1, min(8, runtime.GOMAXPROCS(0)))
	g := &gzipWriter{
		w: w, level: level,
		ahead: make(chan chan packed, workers),
		slots: make(chan *flate.Writer, workers),
		done:  make(chan error, 1),
	}
	for range workers {
		g.slots <- nil
	}
	go g.collect()
	return g, nil
}

// collect writes the packed blocks in their order.
func (g *gzipWriter) collect() {
	var err error
	for next := range g.ahead {
		p := <-next
		if err == nil {
			err = p.err
		}
		if err == nil {
			_, err = g.w.Write(p.data)
		}
	}
	g.done <- err
}

func (g *gzipWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(len(p), gzipBlock-len(g.block))
		g.block = append(g.block, p[:n]...)
		p = p[n:]
		if len(g.block) == gzipBlock {
			g.pack(false)
		}
	}
	return total, nil
}

// pack hands the collected block to a goroutine of its own.
func (g *gzipWriter) pack(last bool) {
	block, window := g.block, g.window
	g.sum = crc32.Update(g.sum, crc32.IEEETable, block)
	g.size += uint32(len(block)) //nolint:gosec // RFC 1952: modulo 2³²
	g.window = block[max(0, len(block)-gzipWindow):]
	if g.block = nil; !last {
		g.block = make([]byte, 0, gzipBlock)
	}
	result := make(chan packed, 1)
	g.ahead <- result
	f := <-g.slots
	go func() {
		var p packed
		p.data, f, p.err = deflate(f, g.level, block, window, last)
		g.slots <- f
		result <- p
	}()
}

// deflaters are writers for the next stream, by level: each has a megabyte of tables.
var deflaters [10]sync.Pool

// deflate packs one block; f is a writer to use again, or nil.
func deflate(f *flate.Writer, level int, block, window []byte, last bool) ([]byte, *flate.Writer, error) {
	out := &sink{b: make([]byte, 0, len(block)/2+64)}
	var err error
	if f == nil {
		f, _ = deflaters[level].Get().(*flate.Writer) // nil: none is left
	}
	if f == nil {
		if f, err = flate.NewWriterDict(out, level, window); err != nil {
			return nil, nil, err
		}
	} else {
		f.ResetDict(out, window)
	}
	if _, err = f.Write(block); err != nil {
		return nil, nil, err
	}
	if last {
		err = f.Close()
	} else {
		err = f.Flush()
	}
	return out.b, f, err
}

// Close writes what is left and the trailer.
func (g *gzipWriter) Close() error {
	if g.closed {
		return g.err
	}
	g.closed = true
	g.pack(true)
	close(g.ahead)
	g.err = <-g.done
	for range cap(g.slots) {
		if f := <-g.slots; f != nil {
			deflaters[g.level].Put(f)
		}
	}
	if g.err != nil {
		return g.err
	}
	var trailer [8]byte
	binary.LittleEndian.PutUint32(trailer[:], g.sum)
	binary.LittleEndian.PutUint32(trailer[4:], g.size)
	_, g.err = g.w.Write(trailer[:])
	return g.err
}

type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}
