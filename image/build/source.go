package build

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"berth/image/build/plan"
	"berth/image/build/sshagent"
	"berth/image/build/tree"
	"berth/internal/cleanup"
)

// SourceOptions say where a build comes from.
type SourceOptions struct {
	// Context is a directory, "-" for Stdin, the URL of a git repository, of an archive
	// or of a Dockerfile, or a file that is an archive.
	Context string
	// Dockerfile is the value of --file: "-" is Stdin; empty: Dockerfile in the context.
	Dockerfile string
	Stdin      io.Reader
	// Tmp is where to unpack and fetch; the caller removes it.
	Tmp string
	// SSH is an agent for git; may be nil.
	SSH *sshagent.Agent
}

// Source is what a build comes from.
type Source struct {
	Context    *Context
	Dockerfile []byte
	// Name is the Dockerfile in messages.
	Name string
	undo cleanup.Stack
}

// Close closes the context.
func (s *Source) Close() {
	if s != nil {
		s.undo.Run()
	}
}

// OpenSource finds context and Dockerfile.
func OpenSource(ctx context.Context, o SourceOptions) (_ *Source, err error) {
	s := &Source{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if o.Context == "-" && o.Dockerfile == "-" {
		return nil, errors.New("context and Dockerfile cannot both be read from stdin")
	}
	dir, local, err := s.directory(ctx, o)
	if err != nil {
		return nil, err
	}
	if s.Dockerfile == nil {
		if err := s.readDockerfile(o, dir, local); err != nil {
			return nil, err
		}
	}
	if dir == "" {
		s.Context = &Context{name: "context"}
		return s, nil
	}
	beside := ""
	if s.Name != "" && o.Dockerfile != "-" {
		beside = s.Name
	}
	read := ReadIgnore
	if !local {
		read = readIgnoreInside
	}
	ignore, err := read(dir, beside)
	if err != nil {
		return nil, err
	}
	if s.Context, err = OpenContext(dir, "context", ignore); err != nil {
		return nil, err
	}
	s.undo.Add(func() { _ = s.Context.Close() }) // it was only read
	return s, nil
}

// directory makes the context a directory; "" is one with nothing in it. local: it is
// the user's own, so that --file is relative to where the user is.
func (s *Source) directory(ctx context.Context, o SourceOptions) (dir string, local bool, err error) {
	ref, isGit, err := ParseGit(o.Context)
	switch {
	case err != nil:
		return "", false, fmt.Errorf("context: %w", err)
	case o.Context == "-":
		dir, err = s.stream(ctx, o, o.Stdin, "stdin")
		return dir, false, err
	case isGit:
		dir, err = s.clone(ctx, o, ref)
		return dir, false, err
	case isURL(o.Context):
		dir, err = s.fetch(ctx, o)
		return dir, false, err
	}
	st, err := os.Stat(o.Context)
	if err != nil {
		return "", false, fmt.Errorf("context: %w", err)
	}
	if st.IsDir() {
		return o.Context, true, nil
	}
	f, err := os.Open(o.Context)
	if err != nil {
		return "", false, fmt.Errorf("context: %w", err)
	}
	defer f.Close()
	if dir, err = s.stream(ctx, o, f, o.Context); err == nil && dir == "" {
		err = fmt.Errorf("context %s: neither a directory nor an archive", o.Context)
	}
	return dir, false, err
}

// stream unpacks an archive; what is none is the Dockerfile, and the context is empty.
func (s *Source) stream(ctx context.Context, o SourceOptions, r io.Reader, name string) (string, error) {
	if r == nil {
		return "", fmt.Errorf("context %s: there is no input", name)
	}
	in := bufio.NewReaderSize(r, 64<<10)
	head, err := in.Peek(1024)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("context %s: %w", name, err)
	}
	if !tree.LooksPacked(head) {
		raw, err := io.ReadAll(io.LimitReader(in, plan.MaxDockerfile+1))
		if err != nil {
			return "", fmt.Errorf("context %s: %w", name, err)
		}
		if len(bytes.TrimSpace(raw)) == 0 {
			return "", fmt.Errorf("context %s: it is empty", name)
		}
		s.Dockerfile, s.Name = raw, name
		return "", nil
	}
	dir, root, err := s.scratch(o)
	if err != nil {
		return "", err
	}
	ok, err := root.Unpack(ctx, in, "/", nil, nil)
	if err == nil && !ok {
		err = errors.New("it is compressed, and not an archive")
	}
	if err != nil {
		return "", fmt.Errorf("context %s: %w", name, err)
	}
	return dir, nil
}

// scratch makes a directory for a context that is not one.
func (s *Source) scratch(o SourceOptions) (string, *tree.Root, error) {
	dir, err := os.MkdirTemp(o.Tmp, "context-")
	if err != nil {
		return "", nil, err
	}
	s.undo.Add(func() { _ = os.RemoveAll(dir) }) // the caller removes what is left
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	s.undo.Add(func() { _ = f.Close() }) // a directory
	return dir, &tree.Root{FD: int(f.Fd()), Name: "context"}, nil
}

func (s *Source) clone(ctx context.Context, o SourceOptions, ref GitRef) (string, error) {
	dir, root, err := s.scratch(o)
	if err != nil {
		return "", err
	}
	g := git{dir: dir, ssh: o.SSH}
	commit, err := g.resolve(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("context: %w", err)
	}
	if ref.Commit != "" && ref.Commit != commit {
		return "", fmt.Errorf("context: %s is commit %s, not %s", ref.Ref, commit, ref.Commit)
	}
	if err := g.checkout(ctx, ref, commit, ref.KeepGitDir != nil && *ref.KeepGitDir); err != nil {
		return "", fmt.Errorf("context: %w", err)
	}
	// The subdirectory is the repository's to choose: it can be a link to anywhere.
	at, err := root.Resolve(ref.Subdir, true)
	if err != nil {
		return "", fmt.Errorf("context: %w", err)
	}
	if !at.Exists {
		return "", fmt.Errorf("context: no directory %s in %s", ref.Subdir, ref.Remote)
	}
	return filepath.Join(dir, at.Path), nil
}

func (s *Source) fetch(ctx context.Context, o SourceOptions) (string, error) {
	dir, _, err := s.scratch(o)
	if err != nil {
		return "", err
	}
	if _, err := get(ctx, o.Context, dir, "content"); err != nil {
		return "", fmt.Errorf("context: %w", err)
	}
	f, err := os.Open(filepath.Join(dir, "content"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	return s.stream(ctx, o, f, o.Context)
}

// readDockerfile reads the Dockerfile of a context that is a directory.
func (s *Source) readDockerfile(o SourceOptions, dir string, local bool) error {
	if o.Dockerfile == "-" {
		if o.Stdin == nil {
			return errors.New("no input to read the Dockerfile from")
		}
		raw, err := io.ReadAll(io.LimitReader(o.Stdin, plan.MaxDockerfile+1))
		s.Dockerfile, s.Name = raw, "stdin"
		return err
	}
	if local && o.Dockerfile != "" {
		raw, err := readLimited(o.Dockerfile)
		if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(o.Dockerfile) {
			if inside, insideErr := readLimited(filepath.Join(dir, o.Dockerfile)); insideErr == nil {
				s.Dockerfile, s.Name = inside, filepath.Join(dir, o.Dockerfile)
				return nil
			}
		}
		s.Dockerfile, s.Name = raw, o.Dockerfile
		return err
	}
	return s.dockerfileInside(o.Dockerfile, dir, local)
}

// dockerfileInside reads it from the context, whose links do not lead outside.
func (s *Source) dockerfileInside(name, dir string, local bool) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	root := &tree.Root{FD: int(f.Fd()), Name: "context", Confined: !local}
	candidates := []string{name}
	if name == "" {
		candidates = []string{"Dockerfile", "dockerfile"}
	}
	for _, c := range candidates {
		var in *os.File
		if local {
			in, err = os.Open(filepath.Join(dir, c))
		} else {
			in, err = root.Open(c)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("open the Dockerfile: %w", err)
		}
		raw, err := readAndClose(in)
		s.Dockerfile, s.Name = raw, c
		if local {
			s.Name = filepath.Join(dir, c)
		}
		return err
	}
	return fmt.Errorf("no %s in the context; name the Dockerfile with --file", candidates[0])
}

func readLimited(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open the Dockerfile: %w", err)
	}
	return readAndClose(f)
}

func readAndClose(f *os.File) ([]byte, error) {
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, plan.MaxDockerfile+1))
	if err != nil {
		return nil, fmt.Errorf("open the Dockerfile: %w", err)
	}
	return raw, nil
}

// OpenContextAt opens a context that needs no Dockerfile: an additional one. Its own
// .dockerignore hides files in it.
func OpenContextAt(ctx context.Context, o SourceOptions) (_ *Source, err error) {
	s := &Source{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	dir, local, err := s.directory(ctx, o)
	if err == nil && dir == "" {
		err = errors.New("it is a file, not a context")
	}
	if err != nil {
		return nil, err
	}
	read := ReadIgnore
	if !local {
		read = readIgnoreInside
	}
	ignore, err := read(dir, "")
	if err != nil {
		return nil, err
	}
	if s.Context, err = OpenContext(dir, "context "+filepath.Base(o.Context), ignore); err != nil {
		return nil, err
	}
	s.undo.Add(func() { _ = s.Context.Close() }) // it was only read
	return s, nil
}
