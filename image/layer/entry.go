package layer

import (
	"archive/tar"
	"fmt"
	"math"
	"slices"
	"strings"

	"berth/internal/safepath"
)

// Names that layer.md reserves, from AUFS.
const (
	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh." // AUFS's own files, which mean nothing to others
	whiteoutOpaque = ".wh..wh..opq"
)

// entry is a checked header of the archive.
type entry struct {
	*tar.Header
	path string // below the root, clean, without leading slash; "" is the root
	dir  string // all but the last component
	base string // the last component
	mode uint32 // permissions with setuid, setgid and sticky
}

// check makes an entry of a header, or refuses it.
func (a *applier) check(h *tar.Header) (entry, error) {
	e := entry{Header: h, mode: uint32(h.Mode) & 0o7777}
	var err error
	if e.path, err = a.clean(h.Name); err != nil {
		return e, err
	}
	if a.names += int64(len(e.path)); a.names > a.limits.Names {
		return e, &LimitError{"bytes of names", a.limits.Names}
	}
	e.dir, e.base = split(e.path)
	if err := checkReserved(e.dir); err != nil {
		return e, err
	}
	if !validID(h.Uid) || !validID(h.Gid) {
		return e, &safepath.Refusal{Object: quote(h.Name), Reason: fmt.Sprintf("its owner %d:%d is out of range", h.Uid, h.Gid)}
	}
	if h.Size < 0 {
		return e, &safepath.Refusal{Object: quote(h.Name), Reason: "its size is negative"}
	}
	return e, nil
}

// validID: 2³²-1 is "no change" to chown(2), so a file would keep root as its owner.
func validID(id int) bool { return id >= 0 && int64(id) < math.MaxUint32 }

// clean makes a path of the archive relative to the root. An absolute one is meant
// that way; one with ".." is not from a layer that anyone packed in good faith.
func (a *applier) clean(name string) (string, error) {
	if len(name) > a.limits.Path {
		return "", &safepath.Refusal{Object: quote(name), Reason: fmt.Sprintf("its path is longer than %d bytes", a.limits.Path)}
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", &safepath.Refusal{Object: quote(name), Reason: "its path holds a NUL byte"}
	}
	name = strings.TrimSuffix(name, "/")
	depth, tidy := 0, true
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".":
			tidy = false
		case part == "..":
			return "", &safepath.Refusal{Object: quote(name), Reason: "its path goes up"}
		case len(part) > 255:
			return "", &safepath.Refusal{Object: quote(name), Reason: "a name in its path is longer than 255 bytes"}
		default:
			depth++
		}
	}
	if depth > a.limits.Depth {
		return "", &safepath.Refusal{Object: quote(name), Reason: fmt.Sprintf("its path is deeper than %d directories", a.limits.Depth)}
	}
	if tidy {
		// It may be a part of an extended header, which has up to a megabyte: what is
		// noted of a directory would keep all of that.
		return strings.Clone(name), nil
	}
	return strings.Join(slices.DeleteFunc(strings.Split(name, "/"), func(part string) bool {
		return part == "" || part == "."
	}), "/"), nil
}

// checkReserved refuses directories with a whiteout's name: they would come back as
// whiteouts when the layer is packed again.
func checkReserved(dir string) error {
	if !strings.Contains(dir, whiteoutPrefix) {
		return nil
	}
	for part := range strings.SplitSeq(dir, "/") {
		if strings.HasPrefix(part, whiteoutPrefix) && !strings.HasPrefix(part, whiteoutMeta) {
			return &safepath.Refusal{Object: quote(dir), Reason: "a directory in it has the name of a whiteout"}
		}
	}
	return nil
}

// underMeta tells what lies below one of AUFS's own directories.
func underMeta(dir string) bool {
	return strings.HasPrefix(dir, whiteoutMeta) || strings.Contains(dir, "/"+whiteoutMeta)
}

// split parts a clean path.
func split(path string) (dir, base string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// quote makes hostile text fit for one line of an error.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "…"
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return fmt.Sprintf("%q", s)
		}
	}
	return s
}
