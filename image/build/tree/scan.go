package tree

import (
	"fmt"
	"os"
	"path"
	"slices"

	"github.com/moby/patternmatcher"
	"golang.org/x/sys/unix"
)

// node is a file of a source, with what is below it that is neither ignored nor
// excluded, in order of names.
type node struct {
	name     string
	stat     unix.Stat_t
	children []*node
}

// matchers hold the state of both pattern lists on the way down.
type matchers struct {
	ignore, exclude *patternmatcher.PatternMatcher
	ignored         patternmatcher.MatchInfo
	excluded        patternmatcher.MatchInfo
}

// hides tells whether a path is hidden, and whether something below it may not be.
func (m *matchers) hides(ignorePath, excludePath string) (hidden, reopens bool, next matchers, err error) {
	next = *m
	if m.ignore != nil && ignorePath != "" {
		var hit bool
		hit, next.ignored, err = m.ignore.MatchesUsingParentResults(ignorePath, m.ignored)
		if err != nil {
			return false, false, next, fmt.Errorf("ignore pattern: %w", err)
		}
		if hit {
			hidden, reopens = true, m.ignore.Exclusions()
		}
	}
	if m.exclude != nil && excludePath != "" {
		var hit bool
		hit, next.excluded, err = m.exclude.MatchesUsingParentResults(excludePath, m.excluded)
		if err != nil {
			return false, false, next, fmt.Errorf("exclude pattern: %w", err)
		}
		if hit {
			reopens = m.exclude.Exclusions() && (!hidden || reopens)
			hidden = true
		}
	}
	return hidden, reopens, next, nil
}

// scan reads the tree at a resolved path. nil: all of it is hidden. top is what the
// patterns of --exclude call the path itself: its name for a file, nothing for a
// directory, whose contents are matched.
func (r *Root) scan(at Real, top string, exclude *patternmatcher.PatternMatcher) (*node, error) {
	m := matchers{ignore: r.Ignore, exclude: exclude}
	// The parents count for patterns that hide a directory.
	for i, c := range at.Path {
		if c == '/' && r.Ignore != nil {
			_, next, err := r.Ignore.MatchesUsingParentResults(at.Path[:i], m.ignored)
			if err != nil {
				return nil, fmt.Errorf("ignore pattern: %w", err)
			}
			m.ignored = next
		}
	}
	n := &node{name: path.Base(at.Path), stat: at.Stat}
	if isDir(&at.Stat) {
		top = ""
	}
	hidden, reopens, below, err := m.hides(at.Path, top)
	if err != nil || (hidden && !reopens) {
		return nil, err
	}
	if !isDir(&at.Stat) {
		if hidden {
			return nil, nil
		}
		return n, nil
	}
	fd, err := r.openReal(at.Path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	if err := scanDir(fd, n, at.Path, "", below); err != nil {
		return nil, fmt.Errorf("read %s: %w", r.shown(at.Path), err)
	}
	if hidden && len(n.children) == 0 {
		return nil, nil
	}
	return n, nil
}

// scanDir fills n with the contents of a directory. It closes fd.
func scanDir(fd int, n *node, ignorePath, excludePath string, m matchers) error {
	dir := os.NewFile(uintptr(fd), n.name)
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		st, err := statAt(fd, name)
		if err != nil {
			return fmt.Errorf("stat %s: %w", name, err)
		}
		child := &node{name: name, stat: st}
		ip, ep := path.Join(ignorePath, name), path.Join(excludePath, name)
		hidden, reopens, below, err := m.hides(ip, ep)
		if err != nil {
			return err
		}
		if hidden && !(reopens && isDir(&st)) {
			continue
		}
		if isDir(&st) {
			sub, err := openDirAt(fd, name)
			if err != nil {
				return err
			}
			if err := scanDir(sub, child, ip, ep, below); err != nil {
				return err
			}
			if hidden && len(child.children) == 0 {
				continue
			}
		}
		n.children = append(n.children, child)
	}
	return nil
}

func openDirAt(dir int, name string) (int, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// listFD lists a directory in order and closes it.
func listFD(fd int) ([]string, error) {
	dir := os.NewFile(uintptr(fd), "directory")
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}
