package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"berth/image/build/tree"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/opencontainers/go-digest"
)

// add copies like COPY, unpacks archives of the context, and fetches files and git
// repositories.
func (r *stageRun) add(ctx context.Context, c *instructions.AddCommand) error {
	t := &transfer{
		verb: "ADD", params: c.SourcesAndDest, chown: c.Chown, chmod: c.Chmod, link: c.Link, exclude: c.ExcludePatterns, text: r.shown(c.String()),
	}
	if c.Checksum != "" && len(c.SourcePaths) != 1 {
		return errors.New("ADD --checksum: it is of one source")
	}
	for _, src := range c.SourcePaths {
		p, err := r.addPart(ctx, c, src)
		if err != nil {
			t.drop()
			return err
		}
		t.parts = append(t.parts, p)
	}
	return r.transfer(ctx, t)
}

func (r *stageRun) addPart(ctx context.Context, c *instructions.AddCommand, src string) (*part, error) {
	ref, isGit, err := ParseGit(src)
	switch {
	case err != nil:
		return nil, fmt.Errorf("ADD: %w", err)
	case isGit:
		return r.gitPart(ctx, c, ref)
	case isURL(src):
		return r.httpPart(c, src)
	case c.Checksum != "":
		return nil, fmt.Errorf("ADD --checksum: %s is neither a URL nor a git repository", src)
	}
	return &part{Copy: tree.Copy{From: r.o.Context.root(r.empty), Sources: []string{src}, Unpack: c.Unpack == nil || *c.Unpack}}, nil
}

// httpPart is a file from the web. With a checksum it is fetched only if the step is
// not in the cache.
func (r *stageRun) httpPart(c *instructions.AddCommand, src string) (*part, error) {
	p := &part{}
	p.Unpack = c.Unpack != nil && *c.Unpack
	want := digest.Digest("")
	if c.Checksum != "" {
		var err error
		if want, err = digest.Parse(c.Checksum); err != nil {
			return nil, fmt.Errorf("ADD --checksum=%s: %w", c.Checksum, err)
		}
		p.known = "http " + src + " " + want.String()
	}
	p.fetch = func(ctx context.Context, p *part) error { return r.fetchFile(ctx, p, src, want) }
	return p, nil
}

func (r *stageRun) fetchFile(ctx context.Context, p *part, src string, want digest.Digest) error {
	dir, err := r.scratchDir(p, "http-")
	if err != nil {
		return err
	}
	const file = "content"
	d, err := get(ctx, src, dir, file)
	if err != nil {
		return fmt.Errorf("ADD %s: %w", src, err)
	}
	if want != "" {
		if err := verify(dir+"/"+file, d.digest, want); err != nil {
			return fmt.Errorf("ADD %s: %w", src, err)
		}
	}
	if d.name == "" {
		return fmt.Errorf("ADD %s: the URL has no name for the file", src)
	}
	if err := os.Rename(dir+"/"+file, dir+"/"+path.Base(d.name)); err != nil {
		return err
	}
	p.Sources = []string{escapePattern(path.Base(d.name))}
	return nil
}

// verify compares with a checksum, which may be of another algorithm.
func verify(file string, have, want digest.Digest) error {
	if want.Algorithm() != have.Algorithm() {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		if have, err = want.Algorithm().FromReader(f); err != nil {
			return err
		}
	}
	if have != want {
		return fmt.Errorf("its digest is %s, not %s", have, want)
	}
	return nil
}

// escapePattern keeps a name from being taken for a pattern.
func escapePattern(name string) string {
	out := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '*', '?', '[', '\\':
			out = append(out, '\\')
		}
		out = append(out, name[i])
	}
	return string(out)
}

// scratchDir gives a part a tree of its own to fetch into.
func (r *stageRun) scratchDir(p *part, prefix string) (string, error) {
	dir, err := os.MkdirTemp(r.tmp, prefix)
	if err != nil {
		return "", err
	}
	// Its mode is copied when it is what a source names.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", err
	}
	p.drop = func() {
		_ = f.Close()         // it was only read
		_ = os.RemoveAll(dir) // the build's directory is removed in the end, too
	}
	p.From = &tree.Root{FD: int(f.Fd()), Name: "source", Owner: &tree.Owner{}, Confined: true}
	return dir, nil
}

// gitPart is a tree of a git repository. The commit says what is in it, so that the
// repository is fetched only if the step is not in the cache.
func (r *stageRun) gitPart(ctx context.Context, c *instructions.AddCommand, ref GitRef) (*part, error) {
	keep := c.KeepGitDir != nil && *c.KeepGitDir
	if ref.KeepGitDir != nil {
		keep = *ref.KeepGitDir
	}
	want := c.Checksum
	if ref.Commit != "" {
		if want != "" && want != ref.Commit {
			return nil, fmt.Errorf("ADD: the checksums %s and %s differ", want, ref.Commit)
		}
		want = ref.Commit
	}
	g := git{ssh: r.o.SSH["default"]}
	commit, err := g.resolve(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("ADD %s: %w", ref.Remote, err)
	}
	if want != "" && commit != want {
		return nil, fmt.Errorf("ADD %s: %s is commit %s, not %s", ref.Remote, ref.Ref, commit, want)
	}
	p := &part{known: fmt.Sprintf("git %s %s %q %v %v", ref.Remote, commit, ref.Subdir, keep, ref.Submodules == nil || *ref.Submodules)}
	p.Sources = []string{"."}
	if ref.Subdir != "" {
		p.Sources = []string{escapePattern(ref.Subdir)}
	}
	p.fetch = func(ctx context.Context, p *part) error {
		dir, err := r.scratchDir(p, "git-")
		if err != nil {
			return err
		}
		tree := git{dir: dir, ssh: r.o.SSH["default"]}
		if err := tree.checkout(ctx, ref, commit, keep); err != nil {
			return fmt.Errorf("ADD %s: %w", ref.Remote, err)
		}
		return nil
	}
	return p, nil
}
