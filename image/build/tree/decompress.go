package tree

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"

	"berth/image/layer"

	"github.com/klauspost/compress/gzip"
	"github.com/ulikunitz/xz"
)

// decompress reads what ADD unpacks, by its first bytes: gzip, bzip2, xz, zstd, or as
// it is. No program is executed (CVE-2019-14271: it would be the wrong one).
func decompress(r io.Reader) (io.Reader, func(), error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	head, err := buffered.Peek(6)
	if err != nil && len(head) < 2 {
		return buffered, func() {}, nil
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		return z, func() { _ = z.Close() }, nil // the reader below it is the caller's
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzip2.NewReader(buffered), func() {}, nil
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		z, err := xz.NewReader(buffered)
		if err != nil {
			return nil, nil, fmt.Errorf("xz: %w", err)
		}
		return z, func() {}, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := layer.Decompress("", buffered) // the memory that it takes is bounded
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return z, func() { _ = z.Close() }, nil // as above
	}
	return buffered, func() {}, nil
}

// LooksPacked tells by the first bytes of a file whether it can be an archive:
// compressed, or with a header of tar at its beginning.
func LooksPacked(head []byte) bool {
	for _, magic := range [...]string{"\x1f\x8b", "BZh", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	const at = 257 // of "ustar" in a header, tar(5)
	if len(head) >= at+5 && string(head[at:at+5]) == "ustar" {
		return true
	}
	_, err := tar.NewReader(bytes.NewReader(head)).Next()
	return err == nil && len(head) >= 512
}
