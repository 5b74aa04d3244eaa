package tree

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"berth/internal/linux"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// Sum is the digest of what Do would copy, for a cache: names, types, modes, owners,
// contents, link texts, devices and extended attributes, but no times.
func (c *Copy) Sum() (digest.Digest, error) {
	list, err := c.selection()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	s := summer{h: h, owner: c.From.Owner, buf: make([]byte, 256<<10)}
	for i := range list {
		sel := &list[i]
		s.text("source", sel.base, sel.parent)
		if err := c.sumParents(&s, sel); err != nil {
			return "", err
		}
		parent, err := c.From.openReal(dirOf(sel.found.Path), unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return "", err
		}
		if sel.found.Path == "" {
			err = s.dir(parent, sel.node, ".")
		} else {
			err = s.node(parent, sel.node, ".")
		}
		closeFD(parent)
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.From.shown(sel.found.Path), err)
		}
	}
	return digest.NewDigest(digest.SHA256, h), nil
}

// sumParents adds the metadata of the directories that --parents makes.
func (c *Copy) sumParents(s *summer, sel *selected) error {
	at := sel.pivot
	for _, part := range parts(sel.parent) {
		at += "/" + part
		found, err := c.From.Resolve(at, true)
		if err != nil {
			return err
		}
		s.meta(part, &found.Stat)
	}
	return nil
}

type summer struct {
	h     hash.Hash
	owner *Owner
	buf   []byte
}

// text writes strings so that no two lists of strings are written alike.
func (s *summer) text(list ...string) {
	for _, t := range list {
		s.number(uint64(len(t)))
		_, _ = io.WriteString(s.h, t) // a hash does not fail
	}
}

func (s *summer) number(n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	_, _ = s.h.Write(b[:]) // a hash does not fail
}

func (s *summer) meta(name string, st *unix.Stat_t) {
	uid, gid := uint64(st.Uid), uint64(st.Gid)
	if s.owner != nil {
		uid, gid = uint64(s.owner.UID), uint64(s.owner.GID)
	}
	s.text(name)
	for _, n := range [...]uint64{uint64(st.Mode), uid, gid} {
		s.number(n)
	}
}

// node adds a file by its name in an open directory. shown replaces the name at the
// top, where it does not become the name of the copy.
func (s *summer) node(dir int, n *node, shown string) error {
	switch n.stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		fd, err := openDirAt(dir, n.name)
		if err != nil {
			return err
		}
		defer closeFD(fd)
		return s.dir(fd, n, shown)
	case unix.S_IFREG:
		s.meta(shown, &n.stat)
		return s.content(dir, n)
	case unix.S_IFLNK:
		s.meta(shown, &n.stat)
		text, err := readlinkAt(dir, n.name)
		s.text(text)
		return err
	}
	s.meta(shown, &n.stat)
	s.number(n.stat.Rdev)
	return nil
}

func (s *summer) dir(fd int, n *node, shown string) error {
	s.meta(shown, &n.stat)
	if err := s.xattrs(fd); err != nil {
		return err
	}
	for _, child := range n.children {
		if err := s.node(fd, child, child.name); err != nil {
			return err
		}
	}
	s.text("end")
	return nil
}

func (s *summer) content(dir int, n *node) error {
	fd, err := unix.Openat(dir, n.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: n.name, Err: err}
	}
	f := os.NewFile(uintptr(fd), n.name)
	defer f.Close()
	if err := s.xattrs(fd); err != nil {
		return err
	}
	inner := sha256.New()
	size, err := io.CopyBuffer(struct{ io.Writer }{inner}, struct{ io.Reader }{f}, s.buf)
	if err != nil {
		return fmt.Errorf("read %s: %w", n.name, err)
	}
	s.number(uint64(size))
	_, _ = s.h.Write(inner.Sum(nil)) // a hash does not fail
	return nil
}

func (s *summer) xattrs(fd int) error {
	raw, err := linux.Flistxattr(fd)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	for _, name := range strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00") {
		if !keepsXattr(name) {
			continue
		}
		value, err := linux.Fgetxattr(fd, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		s.text(name, string(value))
	}
	return nil
}
