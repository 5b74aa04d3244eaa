package systemd

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"berth/cgroups/devices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// allow is an element of DeviceAllow.
type allow struct {
	Path, Access string
}

// deviceProperties say what fs1 and fs2 enforce, or on v1 a daemon-reload would
// open the cgroup. systemd has a list of what is allowed; rules that are no such
// list leave the unit open and to fs1 and fs2.
func deviceProperties(r *specs.LinuxResources, version int) (list, error) {
	rules, err := devices.Of(r)
	if err != nil {
		return nil, err
	}
	var props list
	entries, ok := allowed(rules, version)
	if !ok {
		props.set("DevicePolicy", "auto")
		props.set("DeviceAllow", []allow{})
		return props, nil
	}
	props.set("DevicePolicy", "strict")
	props.set("DeviceAllow", entries)
	return props, nil
}

// allowed lists what the rules allow; false when that is no list.
func allowed(rules []devices.Rule, version int) ([]allow, bool) {
	state, _, err := devices.Resolve(rules)
	if err != nil || state.Allow {
		return nil, false
	}
	entries := make([]allow, 0, len(state.Except))
	for _, e := range state.Except {
		path, ok := devicePath(e, version)
		if !ok {
			return nil, false
		}
		if path != "" {
			entries = append(entries, allow{path, devices.Letters(e.Access)})
		}
	}
	return entries, true
}

// devicePath names the devices of an exception to systemd; "" for such that the
// host does not have.
func devicePath(e devices.Rule, version int) (string, bool) {
	kind := "char"
	if e.Type == 'b' {
		kind = "block"
	}
	switch {
	case e.Major == devices.Any && e.Minor == devices.Any:
		return kind + "-*", true
	case e.Major == devices.Any:
		return "", false
	case e.Minor == devices.Any:
		return devicesOf(kind, e.Major, version)
	}
	path := fmt.Sprintf("/dev/%s/%d:%d", kind, e.Major, e.Minor)
	if version < 240 {
		// It looks the node up, and warns of one that is not there.
		if _, err := os.Stat(path); err != nil {
			return "", true
		}
	}
	return path, true
}

// devicesOf names all devices of a major number: since 245 by the number, before
// by a name of /proc/devices.
func devicesOf(kind string, major int64, version int) (string, bool) {
	if version >= 245 {
		return kind + "-" + strconv.FormatInt(major, 10), true
	}
	text, err := os.ReadFile("/proc/devices")
	if err != nil {
		return "", false
	}
	return group(string(text), kind, major), true
}

// group finds the name of a major number in /proc/devices; "" when no driver has it.
func group(text, kind string, major int64) string {
	section := "Character devices:"
	if kind == "block" {
		section = "Block devices:"
	}
	in := false
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[1] == "devices:":
			in = strings.TrimSpace(line) == section
		case in && len(f) == 2 && f[0] == strconv.FormatInt(major, 10):
			return kind + "-" + f[1]
		}
	}
	return ""
}
