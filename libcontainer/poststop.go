package libcontainer

import (
	"bytes"
	"encoding/json"
	"fmt"

	"berth/libcontainer/hooks"
	"berth/libcontainer/state"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// poststop runs the poststop hooks of the config.json the container was created
// from, all of them, with a state that says stopped.
func (c *opened) poststop() error {
	raw, err := c.dir.LoadConfig()
	if err != nil {
		return err
	}
	list, err := poststopHooks(raw)
	if err != nil || len(list) == 0 {
		return err
	}
	ociState, err := json.Marshal(specs.State{
		Version:     c.state.OCIVersion,
		ID:          c.state.ID,
		Status:      specs.ContainerState(state.Stopped),
		Bundle:      c.state.Bundle,
		Annotations: c.state.Annotations,
	})
	if err != nil {
		return fmt.Errorf("encode state of %s: %w", c.state.ID, err)
	}
	return hooks.RunEvery("poststop", list, string(ociState))
}

// poststopHooks decodes the one list it needs, and only if it can be there: a
// config.json with a seccomp profile takes longer to decode than the rest of a
// delete takes.
func poststopHooks(raw []byte) ([]wire.Hook, error) {
	if !bytes.Contains(raw, []byte("poststop")) && !bytes.Contains(raw, []byte(`\u`)) {
		return nil, nil
	}
	var config struct {
		Hooks struct {
			Poststop []specs.Hook `json:"poststop"`
		} `json:"hooks"`
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return nil, fmt.Errorf("read poststop hooks: %w", err)
	}
	list := make([]wire.Hook, 0, len(config.Hooks.Poststop))
	for _, h := range config.Hooks.Poststop {
		hook := wire.Hook{Path: h.Path, Args: h.Args, Env: h.Env}
		if h.Timeout != nil {
			hook.Timeout = *h.Timeout
		}
		list = append(list, hook)
	}
	return list, nil
}
