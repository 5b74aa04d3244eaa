package build

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// add copies like COPY, and unpacks archives and fetches URLs.
func (r *stageRun) add(ctx context.Context, c *instructions.AddCommand) error {
	t := &transfer{verb: "ADD", params: c.SourcesAndDest, chown: c.Chown, chmod: c.Chmod, link: c.Link, text: r.shown(c.String())}
	t.Exclude = c.ExcludePatterns
	t.Unpack = c.Unpack == nil || *c.Unpack
	t.From = r.o.Context.root(r.empty)
	for _, src := range c.SourcePaths {
		if isURL(src) {
			return errors.New("ADD of URLs is not there yet")
		}
		t.Sources = append(t.Sources, src)
	}
	if c.Checksum != "" {
		return fmt.Errorf("ADD --checksum: it needs one URL or git repository")
	}
	return r.transfer(ctx, t, "")
}
