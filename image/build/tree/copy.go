package tree

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
)

// Copy says what is copied where.
type Copy struct {
	// From is the tree of the sources, To that of the destination.
	From, To *Root
	// Sources are paths or patterns below From, in order.
	Sources []string
	// Dest is an absolute path below To. With a slash at its end it is a directory.
	Dest string
	// Chown gives all that is copied or created an owner; nil keeps that of the
	// source, and what is created on the way is root's.
	Chown *Owner
	Chmod Mode
	// Exclude has the patterns of --exclude: below a source directory, or names of
	// source files.
	Exclude []string
	// Parents keeps the directories of a source's path, from "/./" on if that is in it.
	Parents bool
	// Unpack extracts sources that are archives, as ADD does.
	Unpack bool
	// Several says that there are sources beside these for the same destination, which
	// then has to be a directory.
	Several bool
	// Time, if set, is the time of modification of all that is copied or created.
	Time *time.Time
}

// ErrNotFound says that a source without wildcards is not there, or all of it is
// ignored.
var ErrNotFound = errors.New("not found")

// selected is one file or directory to copy.
type selected struct {
	found Real
	node  *node
	// base is the name that a file gets in a destination directory.
	base string
	// parent is the path between the pivot and the source, with --parents.
	parent string
	pivot  string
}

// Do copies.
func (c *Copy) Do(ctx context.Context) error {
	list, err := c.selection()
	if err != nil {
		return err
	}
	w := c.writer(ctx)
	if err := c.checkDest(w); err != nil {
		return err
	}
	for i := range list {
		if err := w.place(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkDest refuses several sources for what is not a directory.
func (c *Copy) checkDest(w *writer) error {
	if (len(c.Sources) < 2 && !c.Several) || strings.HasSuffix(c.Dest, "/") || c.Parents {
		return nil
	}
	at, err := w.to.Resolve(c.Dest, true)
	if err != nil {
		return err
	}
	if !at.Exists || !isDir(&at.Stat) {
		return fmt.Errorf("several sources need a directory: write the destination as %s/", c.Dest)
	}
	return nil
}

// selection finds the files of all sources, in order.
func (c *Copy) selection() ([]selected, error) {
	var exclude *patternmatcher.PatternMatcher
	if len(c.Exclude) > 0 {
		var err error
		if exclude, err = patternmatcher.New(c.Exclude); err != nil {
			return nil, fmt.Errorf("--exclude: %w", err)
		}
	}
	var list []selected
	for _, source := range c.Sources {
		some, err := c.selectOne(source, exclude)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

func (c *Copy) selectOne(source string, exclude *patternmatcher.PatternMatcher) ([]selected, error) {
	if c.Parents {
		return c.selectParents(source, exclude)
	}
	if !HasWildcard(source) {
		s, err := c.pick(unescape(source), path.Base(path.Clean("/"+unescape(source))), exclude)
		if err != nil {
			return nil, err
		}
		if s == nil {
			return nil, c.missing(source)
		}
		return []selected{*s}, nil
	}
	base, pattern := splitPattern(source)
	start, err := c.From.Resolve(base, true)
	if err != nil {
		return nil, err
	}
	matches, err := c.From.glob(start.Path, pattern)
	if err != nil {
		return nil, err
	}
	var list []selected
	for _, m := range matches {
		s, err := c.pick(m, path.Base(m), exclude)
		if err != nil {
			return nil, err
		}
		if s != nil {
			list = append(list, *s)
		}
	}
	return list, nil
}

func (c *Copy) missing(source string) error {
	if c.From.Ignore != nil {
		if hit, err := c.From.Ignore.MatchesOrParentMatches(strings.Join(parts(source), "/")); err == nil && hit {
			return fmt.Errorf("%s: %w in the %s: the ignore file hides it", source, ErrNotFound, c.From.Name)
		}
	}
	return fmt.Errorf("%s: %w in the %s", source, ErrNotFound, c.From.Name)
}

// pick resolves one source; nil if it is not there or all hidden.
func (c *Copy) pick(source, base string, exclude *patternmatcher.PatternMatcher) (*selected, error) {
	found, err := c.From.Resolve(source, true)
	if err != nil {
		return nil, err
	}
	if !found.Exists {
		return nil, nil
	}
	if strings.HasSuffix(source, "/") && !isDir(&found.Stat) {
		return nil, fmt.Errorf("%s: not a directory", source)
	}
	n, err := c.From.scan(found, base, exclude)
	if n == nil || err != nil {
		return nil, err
	}
	return &selected{found: found, node: n, base: base}, nil
}

// selectParents finds the sources of --parents: what comes before "/./" is where the
// kept path starts.
func (c *Copy) selectParents(source string, exclude *patternmatcher.PatternMatcher) ([]selected, error) {
	before, kept, found := strings.Cut(source, "/./")
	if !found {
		before, kept = "", source
	}
	pivot, err := c.From.Resolve(before, true)
	if err != nil {
		return nil, err
	}
	clean := parts(path.Clean("/" + kept))
	matches := []string{path.Join(pivot.Path, strings.Join(clean, "/"))}
	wild := HasWildcard(kept)
	if wild {
		if matches, err = c.From.glob(pivot.Path, clean); err != nil {
			return nil, err
		}
	}
	var list []selected
	for _, m := range matches {
		found, err := c.From.Resolve(m, false)
		if err != nil {
			return nil, err
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(m, pivot.Path), "/")
		var n *node
		if found.Exists {
			if n, err = c.From.scan(found, rel, exclude); err != nil {
				return nil, err
			}
		}
		if n == nil {
			if !wild {
				return nil, c.missing(source)
			}
			continue
		}
		parent := path.Dir(rel)
		if parent == "." {
			parent = ""
		}
		if rel == "" {
			list = append(list, selected{found: found, node: n, pivot: pivot.Path})
			continue
		}
		list = append(list, selected{found: found, node: n, base: path.Base(rel), parent: parent, pivot: pivot.Path})
	}
	return list, nil
}

// splitPattern parts a pattern in front of its first component with a wildcard.
func splitPattern(source string) (base string, pattern []string) {
	list := parts(path.Clean("/" + source))
	for i, p := range list {
		if HasWildcard(p) {
			return unescape(strings.Join(list[:i], "/")), list[i:]
		}
	}
	return unescape(source), nil
}

// unescape removes the backslashes of a pattern that has no wildcards.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
