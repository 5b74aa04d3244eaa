package cli

import (
	"errors"
	"io"
	"os"
	"sync"

	"berth/image/build"
)

// pipes carry the output of a step: the container gets descriptors, and the display is
// no file.
type pipes struct {
	stdout, stderr *os.File // the ends to write to; may be the same
	copies         sync.WaitGroup
}

// pipesTo makes pipes whose content goes to streams.
func pipesTo(streams build.IO) (*pipes, error) {
	p := &pipes{}
	var err error
	if p.stdout, err = p.pipeTo(streams.Stdout); err != nil {
		return nil, err
	}
	p.stderr = p.stdout
	if streams.Stderr == streams.Stdout { // one pipe, which keeps the order
		return p, nil
	}
	if p.stderr, err = p.pipeTo(streams.Stderr); err != nil {
		return nil, errors.Join(err, p.stdout.Close())
	}
	return p, nil
}

func (p *pipes) pipeTo(w io.Writer) (*os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.copies.Go(func() {
		defer reader.Close()
		if _, err := io.Copy(w, reader); err != nil {
			_, _ = io.Copy(io.Discard, reader) // the step shall not wait for somebody to read
		}
	})
	return writer, nil
}

// drain returns when all output has been written: when nobody else has an end of the
// pipes any more. It may be called again.
func (p *pipes) drain() {
	_ = p.stdout.Close() // nothing was written here
	_ = p.stderr.Close()
	p.copies.Wait()
}
