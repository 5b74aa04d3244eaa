package gunzip

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// ErrHeader says that what should begin a gzip member does not.
var ErrHeader = errors.New("gzip: the header is not valid")

// ErrData says that compressed data is not valid.
var ErrData = errors.New("gzip: the compressed data is not valid")

// ErrChecksum says that decompressed data is not what was compressed.
var ErrChecksum = errors.New("gzip: the checksum is wrong")

const (
	inSize = 64 << 10
	// pad is how far reading may run past the input, over zeros.
	pad = 32

	window  = 32 << 10
	outSize = window + 128<<10
	// slack is what one step may write past the limit: a match, a word and literals.
	slack = 258 + 8 + 8
)

// state is where in a member the reader is.
type state int

const (
	atHeader state = iota
	atBlock
	inStored
	inCompressed
	atTrailer
)

// Reader decompresses gzip, members one after the other, to the end of its input.
type Reader struct {
	r     io.Reader
	err   error // for the caller, after what is decompressed
	state state
	last  bool // the block is the last of its member
	any   bool // a member has been read

	// Input: in[pos:end] is not looked at yet, bits holds count bits before it. Bits
	// above count may hold those that follow.
	in       []byte
	pos, end int
	inErr    error // why no more input comes; the rest is zeros then
	bits     uint64
	count    uint

	// Output: out[read:wrote] is decompressed and not read yet; matches may refer
	// back to out[base:].
	out               []byte
	base, read, wrote int
	stored            int // bytes of a stored block to come
	sum, size         uint32
	summed            int // out[:summed] is in sum

	literals  [literalEntries]entry
	distances [distanceEntries]entry
	lengths   [numLiterals + numDistances]uint8
}

// NewReader reads r, which need not be buffered, up to its end.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: r, in: make([]byte, inSize+pad), out: make([]byte, outSize+slack)}
}

// Close does nothing; it makes an io.ReadCloser.
func (z *Reader) Close() error { return nil }

func (z *Reader) Read(p []byte) (int, error) {
	for z.read == z.wrote {
		if z.err != nil {
			return 0, z.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		z.slide()
		z.err = z.more()
		z.account()
	}
	n := copy(p, z.out[z.read:z.wrote])
	z.read += n
	return n, nil
}

// slide keeps the last window of the output, when the buffer is full.
func (z *Reader) slide() {
	if z.wrote < outSize/2 {
		return
	}
	shift := z.wrote - window
	copy(z.out, z.out[shift:z.wrote])
	z.base = max(0, z.base-shift)
	z.wrote, z.read, z.summed = window, window, window
}

// account adds new output to the checksum and size of the member.
func (z *Reader) account() {
	fresh := z.out[z.summed:z.wrote]
	z.sum = crc32.Update(z.sum, crc32.IEEETable, fresh)
	z.size += uint32(len(fresh)) //nolint:gosec // RFC 1952: modulo 2³²
	z.summed = z.wrote
}

// more decompresses until there is output, or the end.
func (z *Reader) more() error {
	for z.wrote == z.read {
		var err error
		switch z.state {
		case atHeader:
			err = z.header()
		case atBlock:
			err = z.block()
		case inStored:
			err = z.copyStored()
		case inCompressed:
			err = z.decompress()
		case atTrailer:
			err = z.trailer()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fill makes sure that at least need bytes of input lie ahead, need at most pad/2.
// At the end of the input zeros do; overrun tells when they were used.
func (z *Reader) fill(need int) {
	for z.end-z.pos < need && z.inErr == nil {
		// Up to eight bytes before pos may be in bits: align gives them back.
		if keep := min(z.pos, 8); z.pos > keep {
			z.end = copy(z.in, z.in[z.pos-keep:z.end])
			z.pos = keep
		}
		var n int
		n, z.inErr = z.r.Read(z.in[z.end:inSize])
		z.end += n
		if z.inErr != nil {
			clear(z.in[z.end : z.end+pad])
		}
	}
}

// overrun tells that bits beyond the end of the input were used, and why it ended.
func (z *Reader) overrun() error {
	if z.inErr == nil || z.pos-int(z.count/8) <= z.end {
		return nil
	}
	if z.inErr == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return z.inErr
}

// need makes at least n bits available, n at most 32.
func (z *Reader) need(n uint) error {
	if z.count >= n {
		return nil
	}
	z.fill(8)
	z.bits |= binary.LittleEndian.Uint64(z.in[z.pos:]) << (z.count & 63)
	z.pos += int((63 - z.count) >> 3)
	z.count |= 56
	return z.overrun()
}

// take returns n bits, n at most 32.
func (z *Reader) take(n uint) (uint32, error) {
	if err := z.need(n); err != nil {
		return 0, err
	}
	v := uint32(z.bits & (1<<n - 1))
	z.drop(n)
	return v, z.overrun()
}

func (z *Reader) drop(n uint) {
	z.bits >>= n & 63
	z.count -= n
}

// align gives the bits up to the next byte up, and whole bytes back to the input.
func (z *Reader) align() {
	z.pos -= int(z.count / 8)
	z.bits, z.count = 0, 0
}

// bytes returns the next n bytes of an aligned input, n at most 16.
func (z *Reader) bytes(n int) ([]byte, error) {
	z.fill(n)
	if z.end-z.pos < n {
		if z.inErr == io.EOF {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, z.inErr
	}
	b := z.in[z.pos : z.pos+n]
	z.pos += n
	return b, nil
}

// header reads the header of a member (RFC 1952, 2.3). Its fields mean nothing here.
func (z *Reader) header() error {
	z.fill(1)
	if z.pos >= z.end && z.any {
		return z.inErr // io.EOF: that was all
	}
	sum := uint32(0)
	next := func(n int) ([]byte, error) {
		b, err := z.bytes(n)
		sum = crc32.Update(sum, crc32.IEEETable, b)
		return b, err
	}
	b, err := next(10)
	if err != nil {
		return err
	}
	if b[0] != 0x1f || b[1] != 0x8b || b[2] != 8 {
		return ErrHeader
	}
	const hasSum, hasExtra, hasName, hasComment = 1 << 1, 1 << 2, 1 << 3, 1 << 4
	flags := b[3]
	if flags&hasExtra != 0 {
		size, err := next(2)
		if err != nil {
			return err
		}
		for n := int(binary.LittleEndian.Uint16(size)); n > 0; n-- {
			if _, err := next(1); err != nil {
				return err
			}
		}
	}
	for _, field := range []byte{hasName, hasComment} {
		for flags&field != 0 {
			c, err := next(1)
			if err != nil {
				return err
			}
			if c[0] == 0 {
				break
			}
		}
	}
	if flags&hasSum != 0 {
		want := uint16(sum & 0xffff)
		if b, err = z.bytes(2); err != nil {
			return err
		}
		if binary.LittleEndian.Uint16(b) != want {
			return ErrHeader
		}
	}
	z.any, z.sum, z.size = true, 0, 0
	z.base = z.wrote
	z.state = atBlock
	return nil
}

// trailer checks the member against what its end says.
func (z *Reader) trailer() error {
	z.account()
	z.align()
	b, err := z.bytes(8)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b) != z.sum || binary.LittleEndian.Uint32(b[4:]) != z.size {
		return ErrChecksum
	}
	z.state = atHeader
	return nil
}

// block reads the header of a block (RFC 1951, 3.2.3).
func (z *Reader) block() error {
	if z.last {
		z.last, z.state = false, atTrailer
		return nil
	}
	v, err := z.take(3)
	if err != nil {
		return err
	}
	z.last = v&1 != 0
	switch v >> 1 {
	case 0:
		z.align()
		b, err := z.bytes(4)
		if err != nil {
			return err
		}
		size := binary.LittleEndian.Uint16(b)
		if size != ^binary.LittleEndian.Uint16(b[2:]) {
			return ErrData
		}
		z.stored, z.state = int(size), inStored
		return nil
	case 1:
		z.fixed()
	case 2:
		if err := z.dynamic(); err != nil {
			return err
		}
	default:
		return ErrData
	}
	z.state = inCompressed
	return nil
}

// copyStored copies what there is of a stored block.
func (z *Reader) copyStored() error {
	if z.stored == 0 {
		z.state = atBlock
		return nil
	}
	z.fill(1)
	if z.pos >= z.end {
		if z.inErr == io.EOF {
			return io.ErrUnexpectedEOF
		}
		return z.inErr
	}
	n := copy(z.out[z.wrote:outSize], z.in[z.pos:min(z.end, z.pos+z.stored)])
	z.pos += n
	z.wrote += n
	z.stored -= n
	return nil
}
