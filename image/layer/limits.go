package layer

import (
	"cmp"
	"context"
	"fmt"
	"io"
)

// Limits bound what one layer may make of the host's disk and memory. Zero fields
// take the value of DefaultLimits.
type Limits struct {
	Entries int64 // entries of the archive
	Bytes   int64 // bytes of the archive, and bytes of all files with their holes
	Xattrs  int   // bytes of the names and values of one entry's extended attributes
	Names   int64 // bytes of the paths of all entries, some of which are kept in memory
	Depth   int   // components of a path
	Path    int   // bytes of a path or of a link's target
}

// DefaultLimits are far above what images have: the largest in use hold some
// 100 GB and a few million files.
var DefaultLimits = Limits{
	Entries: 10_000_000,
	Bytes:   1 << 40,
	Xattrs:  256 << 10,
	Names:   1 << 30,
	Depth:   256,
	Path:    4095, // PATH_MAX without its NUL: symlinkat(2) takes no more
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	return Limits{
		Entries: cmp.Or(l.Entries, d.Entries),
		Bytes:   cmp.Or(l.Bytes, d.Bytes),
		Xattrs:  cmp.Or(l.Xattrs, d.Xattrs),
		Names:   cmp.Or(l.Names, d.Names),
		Depth:   cmp.Or(l.Depth, d.Depth),
		Path:    cmp.Or(l.Path, d.Path),
	}
}

// LimitError says that a layer is larger than the caller allows.
type LimitError struct {
	What  string // "entries", "bytes of the archive" …
	Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the layer is above the limit of %d %s", e.Limit, e.What)
}

// stream is the archive as it is read: bounded, and ended by its context.
type stream struct {
	ctx  context.Context
	r    io.Reader
	left int64
	most int64
}

func (s *stream) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, context.Cause(s.ctx)
	}
	n, err := s.r.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, &LimitError{"bytes of the archive", s.most}
	}
	return n, err
}
