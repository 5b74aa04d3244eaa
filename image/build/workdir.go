package build

import (
	"context"
	"path"

	"berth/image/build/display"
	"berth/image/build/tree"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// workdir changes the working directory and makes it, for the user of the stage.
func (r *stageRun) workdir(ctx context.Context, c *instructions.WorkdirCommand) error {
	dir := c.Path
	if !path.IsAbs(dir) {
		dir = path.Join("/", r.config.Config.WorkingDir, dir)
	}
	dir = path.Clean(dir)
	r.config.Config.WorkingDir = dir
	if dir == "/" {
		r.index++
		r.note("WORKDIR /")
		return nil
	}
	user := r.config.Config.User
	key, err := keyOf("workdir", r.key, dir, user)
	if err != nil {
		return err
	}
	return r.apply(ctx, change{
		text: "WORKDIR " + dir, history: "WORKDIR " + dir, key: key,
		do: func(_ context.Context, w *workspace, _ *display.Step) error {
			root := r.rootTree(w)
			var owner *tree.Owner
			if user != "" {
				o, err := root.LookupOwner(user)
				if err != nil {
					return err
				}
				owner = &o
			}
			return root.Mkdir(dir, owner, nil)
		},
	})
}
