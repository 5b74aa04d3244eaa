package specconv

import (
	"encoding/json"
	"errors"
	"os"
	"strings"

	"berth/internal/linux"
	"berth/libcontainer/configs"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// LoadMounts reads a JSON list of mounts, each as in config.json. The file "-" is stdin.
func LoadMounts(file string) ([]specs.Mount, error) {
	name, data, err := readInput(file)
	if err != nil {
		return nil, err
	}
	var list []specs.Mount
	if err := Decode(name, data, &list); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New(name + ": an empty list of mounts")
	}
	return list, nil
}

// HotMounts are mounts for a container that runs.
type HotMounts struct {
	Mounts []wire.Mount
	IDMaps []configs.IDMapMount
	// Namespaces are the CLONE_NEW* kinds that the new file systems show, to be joined
	// for making them.
	Namespaces uintptr
	Warnings   []string
}

// ConvertMounts checks mounts that are added to a container that runs. bundle is
// where relative sources start; userNS says that the container has a user
// namespace of its own.
func ConvertMounts(list []specs.Mount, bundle string, userNS bool) (*HotMounts, error) {
	c := &converter{
		doc: &Document{Spec: specs.Spec{Mounts: list}}, linux: &Linux{},
		cfg: &configs.Config{Bundle: bundle, Namespaces: []configs.Namespace{{Type: linux.CLONE_NEWNS}, {Type: linux.CLONE_NEWCGROUP}}},
	}
	if userNS {
		c.cfg.Namespaces = append(c.cfg.Namespaces, configs.Namespace{Type: linux.CLONE_NEWUSER})
	}
	c.plan = &c.cfg.Plan
	c.cfg.Rootless = os.Geteuid() != 0
	c.mounts()
	h := &HotMounts{Mounts: c.plan.Rootfs.Mounts, IDMaps: c.cfg.IDMapMounts, Warnings: c.warnings}
	for i := range h.Mounts {
		m := &h.Mounts[i]
		if m.CopySymlink {
			c.fault("mounts[%d].options: copy-symlink is for containers that are made", i)
		}
		h.Namespaces |= shownBy(m)
	}
	return h, c.err()
}

// shownBy is the namespace of which a new file system shows the inside.
func shownBy(m *wire.Mount) uintptr {
	if m.Bind || m.Remount {
		return 0
	}
	switch {
	case m.Type == "proc":
		return linux.CLONE_NEWPID
	case m.Type == "sysfs":
		return linux.CLONE_NEWNET
	case m.Type == "mqueue":
		return linux.CLONE_NEWIPC
	case strings.HasPrefix(m.Type, "cgroup"):
		return linux.CLONE_NEWCGROUP
	}
	return 0
}

// Destinations checks a list of mounts to remove, of which only the destinations
// count.
func Destinations(list []specs.Mount) ([]string, error) {
	var f findings
	paths := make([]string, len(list))
	for i, m := range list {
		if m.Destination == "" || m.Destination[0] != '/' {
			f.fault("mounts[%d].destination: %q is not absolute", i, m.Destination)
		}
		paths[i] = m.Destination
	}
	return paths, f.err()
}

// DecodeMappings reads the id mappings of a config.json.
func DecodeMappings(data []byte) (uids, gids []configs.IDMap, err error) {
	var doc struct {
		Linux struct {
			UIDMappings []specs.LinuxIDMapping `json:"uidMappings"`
			GIDMappings []specs.LinuxIDMapping `json:"gidMappings"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, nil, err
	}
	c := &converter{}
	return c.idMaps("linux.uidMappings", doc.Linux.UIDMappings), c.idMaps("linux.gidMappings", doc.Linux.GIDMappings), c.err()
}
