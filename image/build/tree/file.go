package tree

import (
	"context"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// File is one file that has no source tree: a here document, or what was fetched.
type File struct {
	Name    string // the name in a destination directory
	Content io.Reader
	Perm    uint32 // before Chmod
	ModTime time.Time
}

// Write writes a file by the rules of Copy; From and Sources are not used.
func (c *Copy) Write(ctx context.Context, f File) error {
	w := c.writer(ctx)
	if err := c.checkDest(w); err != nil {
		return err
	}
	st := &unix.Stat_t{Mode: unix.S_IFREG | f.Perm, Mtim: unix.NsecToTimespec(f.ModTime.UnixNano())}
	dir, _, name, err := w.target(st, f.Name)
	if err != nil {
		return err
	}
	defer closeFD(dir)
	if err := clearTarget(dir, name); err != nil {
		return err
	}
	out, err := createAt(dir, name)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, f.Content); err != nil {
		return err
	}
	if err := w.metaOf(int(out.Fd()), st); err != nil {
		return err
	}
	return out.Close()
}
