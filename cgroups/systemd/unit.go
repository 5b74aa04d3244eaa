package systemd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// reuseBound is how long a unit of the same name may take to go.
const reuseBound = 2 * time.Second

// start starts a transient unit and waits for its job. A unit of this name that
// failed, or whose last process has just ended, is still loaded: it is reset and
// waited for.
func (b *bus) start(unit string, props []systemd.Property) error {
	end := time.Now().Add(reuseBound)
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := b.startOnce(unit, props)
		if !is(err, unitExists) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("systemd unit %s exists and is %s", unit, b.activeState(unit))
		}
		if err := b.resetFailed(unit); err != nil {
			return err
		}
		time.Sleep(wait)
	}
}

// startOnce is not repeated on a new connection: the first call may have been
// carried out.
func (b *bus) startOnce(unit string, props []systemd.Property) error {
	return b.try(func(ctx context.Context, c *systemd.Conn) error {
		done := make(chan string, 1)
		if _, err := c.StartTransientUnitContext(ctx, unit, "replace", props, done); err != nil {
			return fmt.Errorf("start systemd unit %s: %w", unit, bounded(err))
		}
		return await(ctx, "start", unit, done)
	})
}

// stop stops a unit and forgets it, should it have failed; gone already is fine.
func (b *bus) stop(unit string) error {
	err := b.do(func(ctx context.Context, c *systemd.Conn) error {
		done := make(chan string, 1)
		if _, err := c.StopUnitContext(ctx, unit, "replace", done); err != nil {
			return fmt.Errorf("stop systemd unit %s: %w", unit, bounded(err))
		}
		return await(ctx, "stop", unit, done)
	})
	if is(err, noSuchUnit) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.resetFailed(unit)
}

// await waits for a job; systemd tells its result once.
func await(ctx context.Context, verb, unit string, done <-chan string) error {
	select {
	case result := <-done:
		if result == "done" {
			return nil
		}
		return fmt.Errorf("%s systemd unit %s: the job ended with %q", verb, unit, result)
	case <-ctx.Done():
		return fmt.Errorf("%s systemd unit %s: no answer in %v", verb, unit, callBound)
	}
}

// bounded names the bound that a call ran into.
func bounded(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer in %v", callBound)
	}
	return err
}

func (b *bus) resetFailed(unit string) error {
	return b.do(func(ctx context.Context, c *systemd.Conn) error {
		err := c.ResetFailedUnitContext(ctx, unit)
		if err == nil || is(err, noSuchUnit) {
			return nil
		}
		return fmt.Errorf("reset systemd unit %s: %w", unit, bounded(err))
	})
}

// activeState is "active", "failed" and so on; "loaded" when systemd does not say.
func (b *bus) activeState(unit string) string {
	state := "loaded"
	// It is asked for an error's text alone.
	_ = b.do(func(ctx context.Context, c *systemd.Conn) error {
		p, err := c.GetUnitPropertyContext(ctx, unit, "ActiveState")
		if err != nil {
			return err
		}
		if s, ok := p.Value.Value().(string); ok {
			state = s
		}
		return nil
	})
	return state
}

// properties returns what the unit has for the properties in l, in a form that set
// takes. Those that this systemd does not tell are left out.
func (b *bus) properties(unit string, l list) (now list, err error) {
	var all map[string]any
	err = b.do(func(ctx context.Context, c *systemd.Conn) error {
		if all, err = c.GetUnitTypePropertiesContext(ctx, unit, "Scope"); err != nil {
			return fmt.Errorf("properties of systemd unit %s: %w", unit, bounded(err))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, p := range l {
		value, ok := all[p.Name]
		if !ok || now.has(p.Name) {
			continue
		}
		if p.Name == "DeviceAllow" {
			var entries []allow
			if err := dbus.Store([]any{value}, &entries); err != nil {
				return nil, fmt.Errorf("property DeviceAllow of systemd unit %s: %w", unit, err)
			}
			now = now.allowing(entries)
			continue
		}
		now.set(p.Name, value)
	}
	return now, nil
}

// set changes properties until the next start of the host. systemd makes a file of
// each, and unless they were made in the order of their names it takes the unit for
// changed by somebody else, in need of a daemon-reload (systemd#35710).
func (b *bus) set(unit string, props []systemd.Property) error {
	props = slices.Clone(props)
	slices.SortStableFunc(props, func(p, q systemd.Property) int { return strings.Compare(p.Name, q.Name) })
	return b.do(func(ctx context.Context, c *systemd.Conn) error {
		if err := c.SetUnitPropertiesContext(ctx, unit, true, props...); err != nil {
			return fmt.Errorf("set properties of systemd unit %s: %w", unit, bounded(err))
		}
		return nil
	})
}

// attach moves a process into the unit's cgroup, or the one at the path sub below it,
// which systemd may do where the caller may not (since 238).
func (b *bus) attach(unit, sub string, pid int) error {
	return b.do(func(ctx context.Context, c *systemd.Conn) error {
		if err := c.AttachProcessesToUnit(ctx, unit, sub, []uint32{uint32(pid)}); err != nil {
			return fmt.Errorf("move process %d to systemd unit %s: %w", pid, unit, bounded(err))
		}
		return nil
	})
}
