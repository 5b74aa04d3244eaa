package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"berth/internal/cleanup"
	"berth/internal/idmap"
	"berth/libcontainer/wire"

	"golang.org/x/sys/unix"
)

// planLayer names the directory of a throw-away layer, before it is made: killed
// from then on, berth leaves nothing that delete --force cannot find.
func (c *container) planLayer(image *ImageRoot, b buildOptions) error {
	switch {
	case image == nil && !b.ephemeral:
		return nil
	case !c.cfg.Plan.MountNS:
		return errors.New("a layer over the root file system needs a mount namespace of the container")
	case image != nil && len(c.cfg.UIDMappings) > 0 && unix.Geteuid() == 0:
		return errors.New("root cannot give a container of an image a user namespace")
	case image != nil:
		c.state.Layer = image.Dir
		c.cfg.Plan.Rootfs.Layer = &wire.Layer{FD: -1, Path: image.Dir, Lowers: image.Layers, UserXattr: image.UserXattr}
		return nil
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
	if len(c.cfg.Plan.Rootfs.Layer.Lowers) > 0 {
		undo.Add(func() { c.rt.logError(c.removeLayer()) })
		return nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("--ephemeral: %w", err)
	}
	undo.Add(func() { c.rt.logError(c.removeLayer()) })
	if unix.Geteuid() != 0 || len(c.cfg.UIDMappings) == 0 {
		return nil
	}
	uid, _ := idmap.Host(c.cfg.UIDMappings, 0) // specconv demands a map of id 0
	gid, _ := idmap.Host(c.cfg.GIDMappings, 0)
	return os.Lchown(dir, int(uid), int(gid))
}

// removeLayer removes the directory of a layer with all that is in it.
func (c *opened) removeLayer() error {
	if c.state.Layer == "" {
		return nil
	}
	return c.rt.removeTree(c.state.Layer)
}

// removeTree removes what a container has written. os.RemoveAll follows no link that
// it may have left there; what belongs to subordinate ids of a user only root of a
// user namespace may remove.
func (rt *Runtime) removeTree(dir string) error {
	err := os.RemoveAll(dir)
	if errors.Is(err, os.ErrPermission) && rt.RemoveAsRoot != nil {
		err = rt.RemoveAsRoot(dir)
	}
	if err != nil {
		return fmt.Errorf("remove the container's layer: %w", err)
	}
	return nil
}

// Abandon removes the directory of an image's container, unless the container of
// this id has it.
func (rt *Runtime) Abandon(id string, image *ImageRoot) error {
	dir, err := rt.store().Open(id)
	if err == nil {
		defer dir.Close()
		if st, err := dir.Load(); err == nil && st.Layer == image.Dir {
			return nil
		}
	}
	return rt.removeTree(image.Dir)
}
