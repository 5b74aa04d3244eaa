package build

import (
	"context"
	"sync"

	"berth/image"
	"berth/image/build/display"
	"berth/image/build/plan"
	"berth/image/build/tree"
)

// contexts are the stages that others read, mounted for reading, each once.
type contexts struct {
	mu    sync.Mutex
	views map[*state]*view
}

// view is the tree of a finished stage.
func (b *builder) view(ctx context.Context, s *state, label string) (*tree.Root, error) {
	if s.files != nil {
		return s.files.root(b.empty), nil
	}
	b.sources.mu.Lock()
	defer b.sources.mu.Unlock()
	o, ok := b.sources.views[s]
	if !ok {
		layers, err := dirs(ctx, s.layers)
		if err != nil {
			return nil, err
		}
		if o, err = b.mountOverlay(layers, nil, nil); err != nil {
			return nil, err
		}
		if b.sources.views == nil {
			b.sources.views = map[*state]*view{}
		}
		b.sources.views[s] = o
	}
	return &tree.Root{FD: o.fd(), Name: label}, nil
}

func (c *contexts) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.views {
		o.close()
	}
	c.views = nil
}

// filesBase is the state of an additional context that is a directory. Copied from it
// is the directory itself; a stage that builds on it gets its files as a layer.
func (b *builder) filesBase(ctx context.Context, s *plan.Stage, files *Context, platform image.Platform) (*state, error) {
	base, err := b.scratch(platform)
	if err != nil {
		return nil, err
	}
	base.files = files
	if s.Implied || s.Replaced {
		return base, nil
	}
	return b.settleFiles(ctx, base, s)
}

// settleFiles makes a layer of the files of a context.
func (b *builder) settleFiles(ctx context.Context, base *state, s *plan.Stage) (*state, error) {
	source := base.files.root(b.empty)
	child := base.child()
	child.files = nil
	run := &stageRun{builder: b, state: child, stage: s, noCache: b.noCacheFor(s), packs: b.inTarget(s), command: &plan.Command{}, total: 1}
	c := tree.Copy{From: source, Sources: []string{"."}, Dest: "/"}
	sum, err := c.Sum()
	if err != nil {
		return nil, err
	}
	key, err := keyOf("context", child.key, sum)
	if err != nil {
		return nil, err
	}
	text := "FROM " + s.Base
	err = run.apply(ctx, change{text: text, history: text, key: key, do: func(ctx context.Context, w *workspace, _ *display.Step) error {
		c.To = b.rootTree(w)
		return c.Do(ctx)
	}})
	return child, err
}
