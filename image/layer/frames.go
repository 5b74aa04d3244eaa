package layer

import (
	"bufio"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
)

// frames hands a zstd stream on and looks at the header of each of its frames (RFC
// 8878, section 3.1.1) before the decoder does, which takes as much memory as that
// says: of a frame in a single segment up to its whole content, whatever its maximum
// for windows. What is no zstd goes through, for the decoder to say so.
type frames struct {
	in *bufio.Reader
	// large is called before a frame that needs more than usualWindow; may be nil.
	large func() error
	// next looks at what comes when left bytes have gone through.
	next     func() error
	left     int64
	checksum bool
}

func newFrames(in *bufio.Reader, large func() error) *frames {
	f := &frames{in: in, large: large}
	f.next = f.frame
	return f
}

func (f *frames) Read(p []byte) (int, error) {
	for f.left == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n, err := f.in.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	return n, err
}

// rest gives up: the decoder sees all that follows as it is.
func (f *frames) rest() error {
	f.left = math.MaxInt64
	return nil
}

// frame is at the beginning of a frame, or at the end of all.
func (f *frames) frame() error {
	head, err := f.in.Peek(zstd.HeaderMaxSize)
	if len(head) == 0 {
		return err
	}
	var h zstd.Header
	if h.Decode(head) != nil {
		return f.rest()
	}
	f.left = int64(h.HeaderSize)
	if h.Skippable {
		f.left += int64(h.SkippableSize)
		return nil
	}
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	if window > maxWindow {
		return fmt.Errorf("zstd: a frame wants %d MiB of memory, of which %d are allowed", window>>20, maxWindow>>20)
	}
	if window > usualWindow && f.large != nil {
		if err := f.large(); err != nil {
			return err
		}
	}
	f.checksum, f.next = h.HasCheckSum, f.block
	return nil
}

// block is at the beginning of a block: three bytes, the lowest bit of which says that
// it is the last, the next two its type, the others its size.
func (f *frames) block() error {
	head, err := f.in.Peek(3)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	bits := int64(head[0]) | int64(head[1])<<8 | int64(head[2])<<16
	const repeated = 1
	size := bits >> 3
	if bits>>1&3 == repeated {
		size = 1
	}
	f.left = 3 + size
	if bits&1 == 0 {
		return nil
	}
	if f.checksum {
		f.left += 4
	}
	f.next = f.frame
	return nil
}
