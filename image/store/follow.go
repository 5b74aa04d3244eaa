package store

import "io"

// Reader follows the content from its beginning on and waits for what is not there
// yet. It ends with io.EOF after the last byte, with the error of Fail when the
// fetch was given up.
func (in *Ingest) Reader() io.Reader { return &follower{in: in} }

type follower struct {
	in  *Ingest
	pos int64
}

func (r *follower) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.pos == r.in.d.Size {
		return 0, io.EOF
	}
	have, err := r.in.wait(r.pos)
	if err != nil {
		return 0, err
	}
	n, err := r.in.f.ReadAt(p[:min(int64(len(p)), have-r.pos)], r.pos)
	r.pos += int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// wait returns how much is there once it is more than pos.
func (in *Ingest) wait(pos int64) (int64, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.have <= pos && in.err == nil {
		in.more.Wait()
	}
	if in.have > pos && !in.done {
		return in.have, nil
	}
	return 0, in.err
}
