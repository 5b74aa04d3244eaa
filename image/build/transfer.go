package build

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"berth/image/build/display"
	"berth/image/build/tree"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/opencontainers/go-digest"
)

// transfer is what COPY and ADD have in common: parts of trees, and here documents,
// that go to one destination in one layer.
type transfer struct {
	verb    string
	params  instructions.SourcesAndDest
	chown   string
	chmod   string
	link    bool
	parents bool
	exclude []string
	text    string
	parts   []*part
	mode    tree.Mode
}

// part is what comes from one tree.
type part struct {
	tree.Copy
	// memo names the content of the tree for the cache of checksums; empty: unknown.
	memo string
	// known stands for the content in the key, in place of a checksum.
	known string
	// fetch gets the tree when it is needed, if it is not there. Whoever calls it calls
	// drop after use.
	fetch func(ctx context.Context, p *part) error
	drop  func()
}

// ready gets the tree of a part.
func (p *part) ready(ctx context.Context) error {
	if p.fetch == nil {
		return nil
	}
	fetch := p.fetch
	p.fetch = nil
	return fetch(ctx, p)
}

// transfer copies sources and here documents into the stage.
func (r *stageRun) transfer(ctx context.Context, t *transfer) error {
	if err := t.check(); err != nil {
		return err
	}
	defer t.drop()
	dest := r.inWorkdir(t.params.DestPath)
	var sums []any
	for _, p := range t.parts {
		p.Dest, p.Exclude, p.Parents = dest, t.exclude, t.parents
		p.Several = len(t.params.SourcePaths)+len(t.params.SourceContents) > 1
		sum, err := r.sum(ctx, p)
		if err != nil {
			return err
		}
		sums = append(sums, []any{sum, p.known, p.Unpack})
	}
	key, err := keyOf("copy", r.key, dest, t.chown, t.chmod, t.link, t.parents, t.exclude, sums, t.params.SourceContents)
	if err != nil {
		return err
	}
	return r.apply(ctx, change{text: t.text, history: t.history(), key: key, alone: t.link, do: func(ctx context.Context, w *workspace, _ *display.Step) error {
		return r.place(ctx, t, dest, r.rootTree(w))
	}})
}

func (t *transfer) drop() {
	for _, p := range t.parts {
		if p.drop != nil {
			p.drop()
		}
	}
}

// place does the copying.
func (r *stageRun) place(ctx context.Context, t *transfer, dest string, to *tree.Root) error {
	var owner *tree.Owner
	if t.chown != "" {
		o, err := to.LookupOwner(t.chown)
		if err != nil {
			return fmt.Errorf("--chown: %w", err)
		}
		owner = &o
	}
	for _, p := range t.parts {
		if err := p.ready(ctx); err != nil {
			return err
		}
		p.To, p.Chown, p.Chmod = to, owner, t.mode
		if err := p.Do(ctx); err != nil {
			return err
		}
	}
	c := tree.Copy{To: to, Dest: dest, Chown: owner, Chmod: t.mode, Several: len(t.params.SourcePaths)+len(t.params.SourceContents) > 1}
	for _, doc := range t.params.SourceContents {
		f := tree.File{Name: path.Base(doc.Path), Content: strings.NewReader(doc.Data), Perm: 0o644, ModTime: r.fileTime()}
		if err := c.Write(ctx, f); err != nil {
			return fmt.Errorf("here document %s: %w", doc.Path, err)
		}
	}
	return nil
}

// fileTime is the time of files that the Dockerfile itself holds.
func (b *builder) fileTime() time.Time {
	if b.o.Epoch != nil {
		return *b.o.Epoch
	}
	return b.now()
}

func (t *transfer) check() (err error) {
	if t.mode, err = tree.ParseMode(t.chmod); err != nil {
		return err
	}
	if t.link && !tree.IsNumericOwner(t.chown) {
		return fmt.Errorf("--chown=%s: with --link there is no /etc/passwd to look names up in: use numbers", t.chown)
	}
	if len(t.params.SourcePaths)+len(t.params.SourceContents) == 0 {
		return errors.New(t.verb + ": nothing to copy")
	}
	return nil
}

// sum is the digest of all that a part copies. That of a finished stage is remembered,
// so that a build with nothing new does not read it.
func (r *stageRun) sum(ctx context.Context, p *part) (digest.Digest, error) {
	if p.known != "" {
		return "", nil
	}
	if p.memo == "" {
		if err := p.ready(ctx); err != nil {
			return "", err
		}
		return p.Sum()
	}
	key, err := keyOf("sum", p.memo, p.Sources, p.Exclude, p.Parents)
	if err != nil {
		return "", err
	}
	if !r.noCache {
		if d, ok := r.recallSum(key); ok {
			r.exports.sum(key, d)
			return d, nil
		}
	}
	if err := p.ready(ctx); err != nil {
		return "", err
	}
	d, err := p.Sum()
	if err != nil {
		return "", err
	}
	r.exports.sum(key, d)
	r.rememberSum(key, d)
	return d, nil
}

// history is the line that docker writes.
func (t *transfer) history() string {
	var b strings.Builder
	b.WriteString(t.verb)
	if t.parents {
		b.WriteString(" --parents")
	}
	if t.chown != "" {
		b.WriteString(" --chown=" + t.chown)
	}
	if t.chmod != "" {
		b.WriteString(" --chmod=" + t.chmod)
	}
	for _, s := range t.params.SourcePaths {
		b.WriteString(" " + s)
	}
	for _, s := range t.params.SourceContents {
		b.WriteString(" <<" + s.Path)
	}
	b.WriteString(" " + t.params.DestPath + " # buildkit")
	return b.String()
}
