package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"berth/libcontainer/launch"
	"berth/libcontainer/state"
)

// Run makes a container and starts it. In the foreground it serves the workload
// until it ends, removes the container unless o.Keep, and returns the exit code as
// a shell gives it. Detached it returns 0 once the workload runs.
func (rt *Runtime) Run(o RunOptions) (int, error) {
	cfg, doc, err := rt.configure(o.CreateOptions)
	if err != nil {
		return -1, err
	}
	if err := checkConsole(cfg.Terminal, o.ConsoleSocket, o.Detach); err != nil {
		return -1, err
	}
	if !cfg.HasProcess {
		return -1, errNoProcess
	}
	term, err := openTerminal(cfg.Terminal, o.Detach, o.ConsoleSocket)
	if err != nil {
		return -1, err
	}
	defer term.close()
	if !o.Detach && !o.NoSubreaper {
		if err := launch.Subreaper(); err != nil {
			return -1, err
		}
	}
	var fg *launch.Foreground
	if !o.Detach {
		fg = launch.NewForeground(term.tty, o.Ended == nil)
	}

	c, err := rt.build(o.CreateOptions, cfg, doc, buildOptions{
		console: term.console, ephemeral: o.Ephemeral, layerDir: o.EphemeralDir,
	})
	if err != nil {
		return -1, err
	}
	defer c.child.Close()
	if o.Ended != nil {
		defer c.closeCgroup()
	}
	return rt.serve(c, term, fg, &o)
}

// serve starts the workload of a container that was just built, and in the foreground
// sees it through to its end.
func (rt *Runtime) serve(c *container, term *terminal, fg *launch.Foreground, o *RunOptions) (int, error) {
	notify, err := rt.release(c, term)
	if err != nil {
		rt.discard(c)
		return -1, err
	}
	// Held open, the network namespace would outlive the container.
	c.devices.close()
	defer notify.close()
	if o.Detach {
		return 0, errors.Join(notify.forward(c.state.PID), c.dir.Close())
	}
	if notify != nil {
		go func() {
			if err := notify.forward(c.state.PID); err != nil {
				fmt.Fprintln(os.Stderr, "berth: "+err.Error())
			}
		}()
	}
	rt.Log.Flush()
	// Others may lock the container while it runs.
	if err := c.dir.Unlock(); err != nil {
		return -1, err
	}
	code, err := fg.Wait(c.child)
	if err != nil {
		return -1, err
	}
	if code != 0 {
		c.warnOOM()
	}
	if o.Ended != nil {
		o.Ended(code)
	}
	if o.Keep {
		return code, rt.recordExit(o.ID, code)
	}
	return code, c.finish()
}

// warnOOM says that the container met its memory limit: only its cgroup knows, and that
// goes with the container.
func (c *container) warnOOM() {
	if n, err := c.mgr.OOMKills(); err == nil && n > 0 {
		c.rt.Log.Warnf("container %s: out of memory: processes that the kernel killed: %d", c.state.ID, n)
		c.rt.Log.Flush()
	}
}

// finish removes the container whose end was seen, unless somebody else has by now. It
// is this one and no other of the same name: the directory was open all the time.
func (c *container) finish() error {
	err := c.rt.lockToDelete(c.dir, true)
	if errors.Is(err, state.ErrNotExist) {
		return c.dir.Close()
	}
	if err != nil {
		return err
	}
	if err := c.end(); err != nil {
		return fmt.Errorf("delete %s: %w", c.state.ID, err)
	}
	if err := c.destroy(); err != nil {
		return err
	}
	return c.dir.Close()
}

// release starts the workload of a container that was just built, and runs the
// poststart hooks. The notifier, which may be nil, is the caller's to close.
func (rt *Runtime) release(c *container, term *terminal) (_ *notifier, err error) {
	notify, err := openNotify(c.dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			notify.close()
		}
	}()
	if err := term.receive(); err != nil {
		return nil, err
	}
	if err := c.child.Release(rt.Log.Warn, c.sendListener(c.state.PID, state.Created)); err != nil {
		return nil, err
	}
	return notify, c.poststart(c.cfg.Hooks.Poststart)
}

// discard removes a container that was built but could not be started.
func (rt *Runtime) discard(c *container) {
	rt.logError(c.devices.undo())
	c.child.Kill()
	if err := c.destroy(); err != nil {
		rt.logError(fmt.Errorf("remove %s: %w", c.state.ID, err))
	}
	rt.logError(c.dir.Close())
}
