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

// maxWindow bounds the memory one zstd stream may ask for, in bytes. The
// specification of zstd asks decoders for 8 MiB; `zstd --ultra --long=27` needs 128.
const maxWindow = 128 << 20

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
	in := bufio.NewReaderSize(r, 64<<10)
	head, err := in.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch Sniff(head) {
	case Gzip:
		return gunzip.NewReader(in), nil
	case Zstd:
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
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
