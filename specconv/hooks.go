package specconv

import (
	"os"
	"path/filepath"

	"berth/libcontainer/configs"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// hookNames are the six kinds in the order they run.
var hookNames = [...]string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}

// hooks converts all six kinds. Whether a hook's file exists is seen when it runs:
// startContainer hooks are looked up in the container, and others may be made by
// earlier ones.
func (c *converter) hooks() {
	h := c.doc.Hooks
	if h == nil {
		return
	}
	//nolint:staticcheck // prestart is deprecated, yet engines still use it
	prestart := h.Prestart
	c.cfg.Hooks = configs.Hooks{
		Prestart:        c.hookList(hookNames[0], prestart),
		CreateRuntime:   c.hookList(hookNames[1], h.CreateRuntime),
		CreateContainer: c.hookList(hookNames[2], h.CreateContainer),
		StartContainer:  c.hookList(hookNames[3], h.StartContainer),
		Poststart:       c.hookList(hookNames[4], h.Poststart),
		Poststop:        c.hookList(hookNames[5], h.Poststop),
	}
	c.plan.CreateContainerHooks = c.cfg.Hooks.CreateContainer
	c.plan.StartContainerHooks = c.cfg.Hooks.StartContainer
	if s := c.plan.Process.Scheduler; s != nil {
		s.AfterHooks = s.Policy == schedDeadline && s.Flags&schedFlag(specs.SchedFlagResetOnFork) == 0 && len(h.StartContainer) > 0
	}
	c.plan.HostHooks = len(c.cfg.Hooks.Prestart)+len(c.cfg.Hooks.CreateRuntime) > 0
}

func (c *converter) hookList(kind string, list []specs.Hook) []wire.Hook {
	if len(list) == 0 {
		return nil
	}
	out := make([]wire.Hook, 0, len(list))
	for i, h := range list {
		switch {
		case h.Path == "":
			c.fault("hooks.%s[%d].path: missing", kind, i)
		case !filepath.IsAbs(h.Path):
			c.fault("hooks.%s[%d].path: %q is not absolute", kind, i, h.Path)
		}
		if h.Timeout != nil && *h.Timeout <= 0 {
			c.fault("hooks.%s[%d].timeout: %d is not greater than 0", kind, i, *h.Timeout)
		}
		out = append(out, Hook(kind, h))
	}
	return out
}

// Hook converts one hook, which is valid. One that names no environment has the one of
// berth's caller, a startContainer hook that of the process, as runc's: many a hook
// expects to find PATH there. One that names an empty list has none.
func Hook(kind string, h specs.Hook) wire.Hook {
	w := wire.Hook{Path: h.Path, Args: h.Args, Env: h.Env}
	switch {
	case h.Env != nil:
	case kind == "startContainer":
		w.EnvOfProcess = true
	default:
		w.Env = os.Environ()
	}
	if h.Timeout != nil {
		w.Timeout = *h.Timeout
	}
	if len(w.Args) == 0 {
		w.Args = []string{h.Path}
	}
	return w
}
