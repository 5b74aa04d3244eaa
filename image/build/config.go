package build

import (
	"maps"
	"slices"
	"time"

	"berth/image"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// defaultPath is the PATH of an image that sets none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// historyComment marks the entries of this dialect; `docker history` knows it.
const historyComment = "buildkit.dockerfile.v0"

// emptyConfig is that of FROM scratch.
func emptyConfig(p image.Platform) *image.Config {
	c := &image.Config{}
	c.Platform = p
	c.RootFS.Type = "layers"
	c.Config.WorkingDir = "/"
	c.Config.Env = []string{"PATH=" + defaultPath}
	return c
}

// cloneConfig copies a configuration so that no change of the copy shows in it.
func cloneConfig(in *image.Config) *image.Config {
	out := *in
	run := &out.Config
	run.Env = slices.Clone(run.Env)
	run.Cmd = slices.Clone(run.Cmd)
	run.Entrypoint = slices.Clone(run.Entrypoint)
	run.Shell = slices.Clone(run.Shell)
	run.OnBuild = slices.Clone(run.OnBuild)
	run.ExposedPorts = maps.Clone(run.ExposedPorts)
	run.Volumes = maps.Clone(run.Volumes)
	run.Labels = maps.Clone(run.Labels)
	if run.Healthcheck != nil {
		h := *run.Healthcheck
		h.Test = slices.Clone(h.Test)
		run.Healthcheck = &h
	}
	out.RootFS.DiffIDs = slices.Clone(out.RootFS.DiffIDs)
	out.History = slices.Clone(out.History)
	return &out
}

// note adds a line of history for an instruction that makes no layer. When such an
// entry was made is the time of the layer below it, so that a build whose steps are
// all cached makes the same image again.
func (s *state) note(text string) {
	s.config.History = append(s.config.History, ocispec.History{CreatedBy: text, Comment: historyComment, EmptyLayer: true})
}

// noteLayer adds the line for the layer that was just added.
func (s *state) noteLayer(text string) {
	s.config.History = append(s.config.History, ocispec.History{CreatedBy: text, Comment: historyComment})
}

// datedHistory gives the entries of this build their times: a layer's is when it was
// made, any other's that of the entry before it. The image was created with the last.
func (s *state) datedHistory(epoch *time.Time) {
	history := s.config.History
	own := len(history) - s.inherited
	if own <= 0 {
		return
	}
	var last *time.Time
	if s.inherited > 0 {
		last = history[s.inherited-1].Created
	}
	layers := s.layers[s.baseLayers:]
	for i := s.inherited; i < len(history); i++ {
		if !history[i].EmptyLayer && len(layers) > 0 {
			t := layers[0].created.UTC()
			last, layers = &t, layers[1:]
		}
		when := last
		if epoch != nil {
			when = epoch
		}
		if when == nil {
			t := s.started.UTC()
			when = &t
		}
		history[i].Created = when
	}
	s.config.Created = history[len(history)-1].Created
}
