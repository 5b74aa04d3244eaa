package build

import (
	"path"
	"slices"
	"strings"
	"time"

	"berth/image"
	"berth/image/build/plan"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// state is a stage at one point: what the instructions so far have made.
type state struct {
	// layers from the lowest on, and the key of all of them together.
	layers layerList
	key    string
	config *image.Config
	// env is what words are expanded with and RUN sees: the image's variables and the
	// arguments of the stage.
	env  plan.Env
	args []instructions.KeyValuePairOptional
	// platform is what the stage is made for.
	platform image.Platform
	// inherited entries of history and baseLayers came with the base image.
	inherited, baseLayers int
	cmdSet                bool
	triggers              []string
	started               time.Time
	// files stand in for layers: the state is an additional context.
	files *Context
}

// child is the state that a stage starts from whose base is this one.
func (s *state) child() *state {
	c := *s
	c.layers = slices.Clone(s.layers)
	c.config = cloneConfig(s.config)
	c.args = slices.Clone(s.args)
	c.config.Config.OnBuild = nil
	c.cmdSet = false
	return &c
}

// inWorkdir makes a path absolute by the working directory, keeping a slash at its end.
func (s *state) inWorkdir(p string) string {
	last := p[strings.LastIndexByte(p, '/')+1:]
	dir := p == "" || p[len(p)-1] == '/' || last == "." || last == ".."
	if !path.IsAbs(p) {
		p = path.Join("/", s.config.Config.WorkingDir, p)
	}
	p = path.Clean(p)
	if dir && p != "/" {
		p += "/"
	}
	return p
}

func (s *state) shell() []string {
	if sh := s.config.Config.Shell; len(sh) > 0 {
		return slices.Clone(sh)
	}
	return []string{"/bin/sh", "-c"}
}
