package build

import (
	"context"
	"fmt"
	"os"
	"slices"

	"berth/image/build/tree"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// squash makes one layer of those that the build has added to its base.
func (b *builder) squash(ctx context.Context, s *state) error {
	own := s.layers[s.baseLayers:]
	if len(own) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp(b.tmp, "squash-")
	if err != nil {
		return err
	}
	w := &workspace{dir: dir}
	defer w.close()
	if w.upper, err = makeDir(dir + "/upper"); err != nil {
		return err
	}
	base := s.layers[:s.baseLayers]
	handles, err := dirs(ctx, base)
	if err != nil {
		return err
	}
	view, err := b.mountOverlay(handles, nil, nil)
	if err != nil {
		return err
	}
	defer view.close()
	below := &tree.Root{FD: view.fd()}
	to := &tree.Root{FD: int(w.upper.Fd()), OneOwner: b.o.OneOwner}
	for _, l := range own {
		from, err := l.open(ctx)
		if err != nil {
			return err
		}
		if err := to.Stack(ctx, &tree.Root{FD: int(from.Fd())}, below, b.o.UserNS); err != nil {
			return err
		}
	}
	var under *buildLayer
	first := "scratch"
	if len(base) > 0 {
		under = base[len(base)-1]
		first = under.chain.String()
	}
	last := own[len(own)-1].chain
	one := b.made(ctx, under, w, nil, true)
	if err := one.wait(ctx); err != nil {
		return err
	}
	s.layers = slices.Concat(base, layerList{one})
	for i := s.inherited; i < len(s.config.History); i++ {
		s.config.History[i].EmptyLayer = true
	}
	s.config.History = append(s.config.History, ocispec.History{Comment: fmt.Sprintf("merge %s to %s", last, first)})
	return nil
}
