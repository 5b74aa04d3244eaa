package libcontainer

import (
	"bytes"
	"fmt"

	"berth/internal/lazyjson"
	"berth/libcontainer/hooks"
	"berth/libcontainer/state"
	"berth/libcontainer/wire"
	"berth/specconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// poststop runs the poststop hooks, all of them, with a state that says stopped.
func (c *opened) poststop() error {
	var list []wire.Hook
	var err error
	if c.hooks != nil {
		list = c.hooks.Poststop
	} else if list, err = c.savedHooks("poststop"); err != nil {
		return err
	}
	return c.runHooks(hooks.RunEvery, "poststop", list, state.Stopped)
}

// runHooks runs hooks of one kind by hooks.RunAll or hooks.RunEvery.
func (c *opened) runHooks(run func(string, []wire.Hook, string) error, kind string, list []wire.Hook, status state.Status) error {
	if len(list) == 0 {
		return nil
	}
	closeOutput, err := c.savedOutput(list)
	if err != nil {
		return err
	}
	defer closeOutput()
	return run(kind, list, c.hookState(status))
}

// hookState is the state document for hooks.
func (c *opened) hookState(status state.Status) string {
	data, err := lazyjson.Marshal(c.specState(status))
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return string(data)
}

// specState is the state of the OCI runtime spec (runtime.md, State).
func (c *opened) specState(status state.Status) specs.State {
	s := specs.State{
		Version:     c.state.OCIVersion,
		ID:          c.state.ID,
		Status:      specs.ContainerState(status),
		Bundle:      c.state.Bundle,
		Annotations: c.state.Annotations,
	}
	if status != state.Stopped {
		s.Pid = c.state.PID
	}
	return s
}

// savedHooks returns the hooks of one kind of the config.json the container was
// created from. It decodes that list alone, and only if it can be there: a
// config.json with a seccomp profile takes longer to decode than the rest of a
// delete takes.
func (c *opened) savedHooks(kind string) ([]wire.Hook, error) {
	raw, err := c.dir.LoadConfig()
	if err != nil {
		return nil, err
	}
	return parseHooks(raw, kind)
}

func parseHooks(raw []byte, kind string) ([]wire.Hook, error) {
	if !bytes.Contains(raw, []byte(kind)) && !bytes.Contains(raw, []byte(`\u`)) {
		return nil, nil
	}
	var config struct {
		Hooks map[string][]specs.Hook `json:"hooks"`
	}
	if err := lazyjson.Unmarshal(raw, &config); err != nil {
		return nil, fmt.Errorf("read %s hooks: %w", kind, err)
	}
	list := make([]wire.Hook, 0, len(config.Hooks[kind]))
	for _, h := range config.Hooks[kind] {
		list = append(list, specconv.Hook(kind, h))
	}
	return list, nil
}
