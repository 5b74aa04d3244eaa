package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"berth/internal/cleanup"
	"berth/libcontainer/configs"
	"berth/libcontainer/wire"

	"golang.org/x/sys/unix"
)

// planLayer names the directory of a throw-away layer, before it is made: killed
// from then on, berth leaves nothing that delete --force cannot find.
func (c *container) planLayer(b buildOptions) error {
	if !b.ephemeral {
		return nil
	}
	if !c.cfg.Plan.MountNS {
		return errors.New("--ephemeral needs a mount namespace of the container")
	}
	c.cfg.Plan.Rootfs.Layer = &wire.Layer{FD: -1}
	if b.layerDir == "" {
		return nil
	}
	dir, err := filepath.Abs(b.layerDir)
	if err != nil {
		return fmt.Errorf("--ephemeral=%s: %w", b.layerDir, err)
	}
	c.state.Layer = filepath.Join(dir, "berth-"+c.cfg.ID+"-"+strconv.FormatInt(time.Now().UnixNano(), 36))
	c.cfg.Plan.Rootfs.Layer.Path = c.state.Layer
	return nil
}

// makeLayer makes that directory, for the root of the container's user namespace
// alone.
func (c *container) makeLayer(undo *cleanup.Stack) error {
	dir := c.state.Layer
	if dir == "" {
		return nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("--ephemeral: %w", err)
	}
	undo.Add(func() { c.rt.logError(c.removeLayer()) })
	if unix.Geteuid() != 0 || len(c.cfg.UIDMappings) == 0 {
		return nil
	}
	return os.Lchown(dir, hostID(c.cfg.UIDMappings), hostID(c.cfg.GIDMappings))
}

// hostID is what the container's id 0 is on the host.
func hostID(maps []configs.IDMap) int {
	for _, m := range maps {
		if m.Container == 0 {
			return int(m.Host)
		}
	}
	return 0
}

// removeLayer removes the directory of a throw-away layer with all that is in it.
// os.RemoveAll follows no link that the container may have left there.
func (c *opened) removeLayer() error {
	if c.state.Layer == "" {
		return nil
	}
	if err := os.RemoveAll(c.state.Layer); err != nil {
		return fmt.Errorf("remove the container's layer: %w", err)
	}
	return nil
}
