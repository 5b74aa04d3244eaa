package pull

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"

	"berth/image/layer"

	"github.com/opencontainers/go-digest"
)

// errContent marks an error that the bytes of a layer have caused.
var errContent = errors.New("the content of the layer is broken")

// contentError keeps the text of its cause alone.
type contentError struct{ error }

func (contentError) Is(target error) bool { return target == errContent }
func (e contentError) Unwrap() error      { return e.error }

// hashing computes the digest of what is read through it.
type hashing struct {
	r   io.Reader
	sum digest.Digester
}

func newHashing(r io.Reader, alg digest.Algorithm) *hashing {
	return &hashing{r, alg.Digester()}
}

func (h *hashing) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	_, _ = h.sum.Hash().Write(p[:n]) // a hash never fails
	return n, err
}

func (h *hashing) digest() digest.Digest { return h.sum.Digest() }

const (
	// pieceSize is what the stages of a pipeline hand on at once, in bytes.
	pieceSize = 128 << 10
	// piecesAhead is how many pieces wait between two stages.
	piecesAhead = 3
)

var pieces sync.Pool

func takePiece() *[]byte {
	if b, ok := pieces.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, pieceSize)
	return &b
}

// pipe runs a reader on a goroutine of its own, ahead of who reads from it.
type pipe struct {
	full  chan piece
	stop  chan struct{}
	ended chan struct{}
	at    piece
	off   int
}

type piece struct {
	buf *[]byte
	n   int
	err error
}

// ahead begins to read r. close has to be called.
func ahead(r io.Reader) *pipe {
	p := &pipe{full: make(chan piece, piecesAhead), stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		for {
			next := piece{buf: takePiece()}
			for next.n < pieceSize && next.err == nil {
				var n int
				n, next.err = r.Read((*next.buf)[next.n:])
				next.n += n
			}
			select {
			case p.full <- next:
			case <-p.stop:
				pieces.Put(next.buf)
				return
			}
			if next.err != nil {
				return
			}
		}
	}()
	return p
}

func (p *pipe) Read(b []byte) (int, error) {
	if p.at.buf == nil {
		p.at, p.off = <-p.full, 0
	}
	n := copy(b, (*p.at.buf)[p.off:p.at.n])
	p.off += n
	if p.off < p.at.n {
		return n, nil
	}
	if err := p.at.err; err != nil {
		return n, err // and the piece stays: the next Read says the same
	}
	pieces.Put(p.at.buf)
	p.at.buf = nil
	return n, nil
}

// close ends the goroutine and waits for it.
func (p *pipe) close() {
	close(p.stop)
	<-p.ended
}

// reuse is the turn of a layer that needs much memory: what the one before had serves
// it.
func reuse() error {
	runtime.GC()
	return nil
}

// unpackStream takes a layer apart: decompressed, hashed and applied, each on its
// own goroutine. It reads the blob to its end and returns the digest of the archive.
// turn is that of layer.DecompressInTurn.
func unpackStream(ctx context.Context, mediaType string, blob io.Reader, turn func() error, apply func(io.Reader) error) (digest.Digest, error) {
	compressed := ahead(blob)
	defer compressed.close()
	plain, err := layer.DecompressInTurn(mediaType, compressed, turn)
	if err != nil {
		return "", contentError{err}
	}
	defer plain.Close() // it is read to its end, or broken anyway
	decompressed := ahead(plain)
	defer decompressed.close()
	hashed := newHashing(decompressed, digest.SHA256)
	checked := ahead(hashed)
	err = apply(checked)
	checked.close()
	if err == nil {
		// A decompressor stops at the end of its format.
		_, err = io.Copy(io.Discard, compressed)
	}
	if err != nil {
		if ctx.Err() == nil {
			err = contentError{err}
		}
		return "", err
	}
	return hashed.digest(), nil
}
