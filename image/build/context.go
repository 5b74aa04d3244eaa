package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"berth/image/build/tree"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"golang.org/x/sys/unix"
)

// Context is a tree of files that COPY and ADD take from. The zero value is empty.
type Context struct {
	dir    *os.File
	name   string
	ignore *patternmatcher.PatternMatcher
	// keepOwners shows files as their owners'; else they are root's, whoever runs the
	// build.
	keepOwners bool
}

// OpenContext opens a directory as a context. ignore are the patterns of
// .dockerignore. The caller closes it.
func OpenContext(dir, name string, ignore []string) (*Context, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("context: %w", err)
	}
	if st, err := f.Stat(); err != nil || !st.IsDir() {
		_ = f.Close() // it was not read
		if err == nil {
			err = fmt.Errorf("context %s: not a directory", dir)
		}
		return nil, err
	}
	c := &Context{dir: f, name: name}
	if len(ignore) > 0 {
		if c.ignore, err = patternmatcher.New(ignore); err != nil {
			_ = f.Close() // it was not read
			return nil, fmt.Errorf("ignore file: %w", err)
		}
	}
	return c, nil
}

// Close closes the directory.
func (c *Context) Close() error {
	if c == nil || c.dir == nil {
		return nil
	}
	return c.dir.Close()
}

// Ignore are the patterns that hide files; nil for none.
func (c *Context) Ignore() *patternmatcher.PatternMatcher {
	if c == nil {
		return nil
	}
	return c.ignore
}

// root is the context as a tree to copy from.
func (c *Context) root(empty *os.File) *tree.Root {
	r := &tree.Root{Name: c.name, Ignore: c.ignore, Confined: true}
	if r.Name == "" {
		r.Name = "context"
	}
	if !c.keepOwners {
		r.Owner = &tree.Owner{}
	}
	if c.dir == nil {
		r.FD = int(empty.Fd())
	} else {
		r.FD = int(c.dir.Fd())
	}
	return r
}

// maxIgnore bounds an ignore file, in bytes.
const maxIgnore = 1 << 20

// ReadIgnore reads the patterns that hide files of a context: those of the file
// beside the Dockerfile that has its name with .dockerignore behind it, else of
// .dockerignore in the context. Neither is no error.
func ReadIgnore(contextDir, dockerfile string) ([]string, error) {
	// Not blocking: who sends a directory may have put a FIFO there.
	open := func(name string) (*os.File, error) {
		return os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	}
	return readIgnore(open, filepath.Join(contextDir, ignoreName), dockerfile)
}

// readIgnoreInside is ReadIgnore for a context that others have made: links lead
// nowhere else, and a device is not opened. dockerfile is its path in the context.
func readIgnoreInside(contextDir, dockerfile string) ([]string, error) {
	dir, err := os.Open(contextDir)
	if err != nil {
		return nil, fmt.Errorf("ignore file: %w", err)
	}
	defer dir.Close()
	root := &tree.Root{FD: int(dir.Fd()), Name: "context", Confined: true}
	return readIgnore(root.Open, ignoreName, dockerfile)
}

const ignoreName = ".dockerignore"

func readIgnore(open func(string) (*os.File, error), own, dockerfile string) ([]string, error) {
	candidates := []string{own}
	if dockerfile != "" {
		candidates = append([]string{dockerfile + ignoreName}, candidates...)
	}
	for _, name := range candidates {
		f, err := open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ignore file: %w", err)
		}
		patterns, err := readPatterns(f)
		if err != nil {
			return nil, fmt.Errorf("ignore file %s: %w", name, err)
		}
		return patterns, nil
	}
	return nil, nil
}

func readPatterns(f *os.File) ([]string, error) {
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxIgnore {
		return nil, fmt.Errorf("it is not a file of at most %d bytes", maxIgnore)
	}
	return ignorefile.ReadAll(f)
}
