package layer

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"berth/image/layer/gunzip"

	"github.com/klauspost/compress/zstd"
)

// Kind is a compression of layers.
type Kind int

// The compressions that layer.md knows.
const (
	None Kind = iota
	Gzip
	Zstd
)

func (k Kind) String() string {
	return [...]string{"none", "gzip", "zstd"}[k]
}

// usualWindow is the memory that any zstd stream may ask for, in bytes: the
// specification asks decoders for 8 MiB. maxWindow bounds what one may ask for;
// `zstd --long=27` and `--ultra -22` need that.
const (
	usualWindow = 8 << 20
	maxWindow   = 128 << 20
)

// Sniff tells the compression of what follows, by its magic number. Media types lie:
// layers called gzip that are plain tar are common.
func Sniff(head []byte) Kind {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return Gzip
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return Zstd
	case len(head) >= 4 && head[0]&0xf0 == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18:
		return Zstd // a skippable frame, with which zstd:chunked and others may begin
	}
	return None
}

// Decompress reads a layer. Its bytes decide on the compression; a media type that
// promises one which the bytes are not is no error, but one that the bytes are and
// berth does not know is. The reader's Close does not close r.
//
// Nothing of it is run as a program: a helper found by PATH could be a container's
// (CVE-2019-14271).
func Decompress(mediaType string, r io.Reader) (io.ReadCloser, error) {
	return DecompressInTurn(mediaType, r, nil)
}

// DecompressInTurn is Decompress for layers that are read side by side. turn is called
// by the goroutine that reads, before the decoder takes more memory than 8 MiB, up to
// 128; its error is the reader's. Who waits in it until others are done bounds the
// memory of all. It may be called more than once.
func DecompressInTurn(mediaType string, r io.Reader, turn func() error) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	head, err := in.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch Sniff(head) {
	case Gzip:
		return gunzip.NewReader(in), nil
	case Zstd:
		z, err := zstd.NewReader(newFrames(in, turn), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, fmt.Errorf("read zstd: %w", err)
		}
		return z.IOReadCloser(), nil
	}
	if name := unknownKind(head); name != "" {
		return nil, fmt.Errorf("layers compressed with %s are not supported, only gzip and zstd", name)
	}
	if strings.HasSuffix(mediaType, "+encrypted") {
		return nil, fmt.Errorf("encrypted layers are not supported (%s)", quote(mediaType))
	}
	return io.NopCloser(in), nil
}

// unknownKind names what is no tar archive either.
func unknownKind(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("BZh")):
		return "bzip2"
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return "xz"
	case bytes.HasPrefix(head, []byte{0x04, 0x22, 0x4d, 0x18}):
		return "lz4"
	}
	return ""
}
