package bundle

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"berth/image"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Volumes are the directories that an image declares for data, below its root
// whatever it writes (CVE-2022-23648), sorted.
func Volumes(img *image.Config) ([]string, error) {
	var list []string
	for name := range img.Config.Volumes {
		if name == "" || hasNUL(name) {
			return nil, fmt.Errorf("the image's volume %q: not a path", name)
		}
		if len(list) >= maxVolumes {
			return nil, fmt.Errorf("the image has more than %d volumes", maxVolumes)
		}
		list = append(list, path.Clean("/"+name))
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

const maxVolumes = 100

// volumes are the mounts for the image's volumes. A container has its root file
// system for itself, which goes with it: what it writes to a volume is in no one's
// way there. So a volume is mounted only if its directory is missing, or could not
// be written to.
func volumes(img *image.Config, o *Options) ([]specs.Mount, error) {
	list, err := Volumes(img)
	if err != nil {
		return nil, err
	}
	var mounts []specs.Mount
	for _, v := range list {
		if reserved(v) {
			o.note("the image's volume %q is no place for data: left out", v)
			continue
		}
		if o.ReadOnly {
			mounts = append(mounts, specs.Mount{Destination: v, Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "mode=755"}})
			continue
		}
		_, err := o.Files.IsDir(v)
		if err == nil || o.VolumeDir == nil {
			continue
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("the image's volume %q: %w", v, err)
		}
		dir, err := o.VolumeDir(v)
		if err != nil {
			return nil, fmt.Errorf("the image's volume %q: %w", v, err)
		}
		mounts = append(mounts, specs.Mount{Destination: v, Type: "bind", Source: dir, Options: []string{"bind", "nosuid", "nodev"}})
	}
	return mounts, nil
}

// reserved are the places that the runtime mounts itself, which a volume must not
// cover.
func reserved(v string) bool {
	for _, top := range []string{"/proc", "/sys", "/dev"} {
		if v == top || strings.HasPrefix(v, top+"/") {
			return true
		}
	}
	return v == "/"
}
