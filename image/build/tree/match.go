package tree

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// HasWildcard tells whether a source is a pattern of filepath.Match.
func HasWildcard(name string) bool {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '\\':
			i++
		case '*', '?', '[':
			return true
		}
	}
	return false
}

// glob finds the paths below base that match a pattern, component by component as
// filepath.Match does, and with "**" for any number of directories. Links are matched
// by their own name and not followed. The result is in the order of a walk.
func (r *Root) glob(base string, pattern []string) ([]string, error) {
	if len(pattern) == 0 {
		return []string{base}, nil
	}
	head, rest := pattern[0], pattern[1:]
	names, err := r.names(base)
	if err != nil {
		return nil, err
	}
	var found []string
	if head == "**" {
		// No directory at all, or one more.
		if found, err = r.glob(base, rest); err != nil {
			return nil, err
		}
		if len(rest) == 0 {
			found = nil
		}
	}
	for _, name := range names {
		if head != "**" {
			ok, err := path.Match(head, name)
			if err != nil {
				return nil, fmt.Errorf("pattern %s: %w", strings.Join(pattern, "/"), err)
			}
			if !ok {
				continue
			}
		}
		below := path.Join(base, name)
		if len(rest) == 0 {
			found = append(found, below)
			continue
		}
		if !r.isRealDir(below) {
			continue
		}
		deeper := rest
		if head == "**" {
			deeper = pattern
		}
		more, err := r.glob(below, deeper)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return unique(found), nil
}

func unique(list []string) []string {
	seen := make(map[string]bool, len(list))
	out := list[:0]
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// names lists a directory in order; nothing for what is not a directory.
func (r *Root) names(dir string) ([]string, error) {
	fd, err := r.openReal(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ELOOP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return listFD(fd)
}

func (r *Root) isRealDir(name string) bool {
	fd, err := r.openReal(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return false
	}
	closeFD(fd)
	return true
}
