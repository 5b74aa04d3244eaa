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

// transfer is what COPY and ADD have in common.
type transfer struct {
	verb   string
	params instructions.SourcesAndDest
	chown  string
	chmod  string
	link   bool
	tree.Copy
	mode tree.Mode
	text string
}

func (r *stageRun) copy(ctx context.Context, c *instructions.CopyCommand) error {
	for _, src := range c.SourcePaths {
		if isURL(src) {
			return fmt.Errorf("COPY %s: only ADD takes URLs", src)
		}
	}
	t := &transfer{verb: "COPY", params: c.SourcesAndDest, chown: c.Chown, chmod: c.Chmod, link: c.Link, text: r.shown(c.String())}
	t.Parents, t.Exclude = c.Parents, c.ExcludePatterns
	from, memo, err := r.copySource(ctx)
	if err != nil {
		return err
	}
	t.From = from
	t.Sources = c.SourcePaths
	return r.transfer(ctx, t, memo)
}

// copySource is the tree that COPY takes from. memo names it for the cache of
// checksums, if its content is known by a digest already.
func (r *stageRun) copySource(ctx context.Context) (root *tree.Root, memo string, err error) {
	if len(r.command.Sources) == 0 {
		return r.o.Context.root(r.empty), "", nil
	}
	source := r.command.Sources[0]
	s, err := r.builder.stage(ctx, r.cancel, source)
	if err != nil {
		return nil, "", err
	}
	root, err = r.view(ctx, s, source.Label())
	return root, s.contentID(), err
}

// contentID is the chain of the layers, if nothing of it is still to be settled.
func (s *state) contentID() string {
	if s.files != nil {
		return ""
	}
	if len(s.layers) == 0 {
		return scratchID
	}
	if top := s.topLayer(); top.isSettled() {
		return top.chain.String()
	}
	return ""
}

// scratchID stands for the content of no layers.
const scratchID = "scratch"

// transfer copies sources and here documents into the stage.
func (r *stageRun) transfer(ctx context.Context, t *transfer, memo string) error {
	if err := t.check(); err != nil {
		return err
	}
	t.Dest = r.inWorkdir(t.params.DestPath)
	if n := len(t.params.SourcePaths) + len(t.params.SourceContents); n > 1 && len(t.params.SourcePaths) < 2 {
		// tree counts its own sources only.
		if !strings.HasSuffix(t.Dest, "/") {
			t.Dest += "/"
		}
	}
	sum, err := r.sum(t, memo)
	if err != nil {
		return err
	}
	key, err := keyOf("copy", r.key, t.Dest, t.chown, t.chmod, t.link, t.Parents, t.Unpack, t.Exclude, sum, t.params.SourceContents)
	if err != nil {
		return err
	}
	return r.apply(ctx, change{text: t.text, history: t.history(), key: key, alone: t.link, do: func(ctx context.Context, w *workspace, _ *display.Step) error {
		return r.place(ctx, t, w)
	}})
}

// place does the copying.
func (r *stageRun) place(ctx context.Context, t *transfer, w *workspace) error {
	t.To = &tree.Root{FD: w.view.fd(), Name: ""}
	if t.chown != "" {
		o, err := t.To.LookupOwner(t.chown)
		if err != nil {
			return fmt.Errorf("--chown: %w", err)
		}
		t.Chown = &o
	}
	t.Chmod = t.mode
	if len(t.Sources) > 0 {
		if err := t.Do(ctx); err != nil {
			return err
		}
	}
	for _, doc := range t.params.SourceContents {
		f := tree.File{Name: path.Base(doc.Path), Content: strings.NewReader(doc.Data), Perm: 0o644, ModTime: r.fileTime()}
		if err := t.Write(ctx, f); err != nil {
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

// sum is the digest of all that is copied from a tree. That of a finished stage is
// remembered, so that a build with nothing new does not read it.
func (r *stageRun) sum(t *transfer, memo string) (digest.Digest, error) {
	if len(t.Sources) == 0 {
		return "", nil
	}
	if memo == "" {
		return t.Sum()
	}
	key, err := keyOf("sum", memo, t.Sources, t.Exclude, t.Parents)
	if err != nil {
		return "", err
	}
	if !r.noCache {
		if d, ok := r.recallSum(key); ok {
			return d, nil
		}
	}
	d, err := t.Sum()
	if err != nil {
		return "", err
	}
	r.rememberSum(key, d)
	return d, nil
}

// history is the line that docker writes.
func (t *transfer) history() string {
	var b strings.Builder
	b.WriteString(t.verb)
	if t.Parents {
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

func (r *stageRun) shown(line string) string { return r.plan.Shown(line, r.env) }

func isURL(src string) bool {
	return strings.HasPrefix(src, "http://") || strings.HasPrefix(src, "https://")
}
