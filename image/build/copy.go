package build

import (
	"context"
	"fmt"
	"strings"

	"berth/image/build/tree"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// copy takes files from the context, a stage or an image.
func (r *stageRun) copy(ctx context.Context, c *instructions.CopyCommand) error {
	for _, src := range c.SourcePaths {
		if isURL(src) {
			return fmt.Errorf("COPY %s: only ADD takes URLs", src)
		}
		if _, ok, _ := ParseGit(src); ok {
			return fmt.Errorf("COPY %s: only ADD takes git repositories", src)
		}
	}
	t := &transfer{
		verb: "COPY", params: c.SourcesAndDest, chown: c.Chown, chmod: c.Chmod, link: c.Link, parents: c.Parents,
		exclude: c.ExcludePatterns, text: r.shown(c.String()),
	}
	if len(c.SourcePaths) > 0 {
		from, memo, err := r.copySource(ctx)
		if err != nil {
			return err
		}
		t.parts = append(t.parts, &part{memo: memo, Copy: tree.Copy{From: from, Sources: c.SourcePaths}})
	}
	return r.transfer(ctx, t)
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

func (r *stageRun) shown(line string) string { return r.plan.Shown(line, r.env) }

func isURL(src string) bool {
	return strings.HasPrefix(src, "http://") || strings.HasPrefix(src, "https://")
}
