package specconv

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"berth/libcontainer/configs"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TemplateOptions are the common wishes about a first config.json; the zero value
// has none.
type TemplateOptions struct {
	// Rootless makes a container that needs no privileges.
	Rootless bool
	// Args replace the command, Env is added.
	Args, Env []string
	// Binds are SRC:DST[:OPTIONS].
	Binds []string
	// Memory is the limit in bytes, 0: none. CPUs is how many may be busy at once, 0:
	// all.
	Memory int64
	CPUs   float64
	// Net is "host" or "none" (with nothing but a loopback); empty: none, and host when
	// rootless.
	Net string
	// Seccomp is the profile; nil: none.
	Seccomp *specs.LinuxSeccomp
	// UIDs and GIDs are the maps of a user namespace; nil: none, and when rootless one
	// in which the caller is root and alone.
	UIDs, GIDs []configs.IDMap
}

// Template is Default with wishes. The errors are about the wishes.
func Template(o TemplateOptions) (*specs.Spec, error) {
	s := Default(o.Rootless)
	if o.UIDs != nil {
		mapUsers(s, o)
	}
	if err := setNet(s, o); err != nil {
		return nil, err
	}
	if len(o.Args) > 0 {
		s.Process.Args = o.Args
	}
	for _, e := range o.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return nil, fmt.Errorf("%q is not KEY=VALUE", e)
		}
		s.Process.Env = append(s.Process.Env, e)
	}
	for _, b := range o.Binds {
		m, err := parseBind(b)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", b, err)
		}
		s.Mounts = append(s.Mounts, m)
	}
	limitTemplate(s, o)
	s.Linux.Seccomp = o.Seccomp
	return s, nil
}

// ttyGroup owns terminals, by the convention of all distributions.
const ttyGroup = 5

// mapUsers gives the container a user namespace. Where gid 5 is not mapped, devpts
// cannot take it.
func mapUsers(s *specs.Spec, o TemplateOptions) {
	l := s.Linux
	l.UIDMappings = mappings(o.UIDs)
	l.GIDMappings = mappings(o.GIDs)
	if !hasNamespace(s, specs.UserNamespace) {
		l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	for i := range s.Mounts {
		if m := &s.Mounts[i]; m.Type == "devpts" && !mapped(o.GIDs, ttyGroup) {
			m.Options = slices.DeleteFunc(m.Options, func(opt string) bool { return opt == "gid=5" })
		}
	}
}

func mappings(maps []configs.IDMap) []specs.LinuxIDMapping {
	list := make([]specs.LinuxIDMapping, len(maps))
	for i, m := range maps {
		list[i] = specs.LinuxIDMapping{ContainerID: m.Container, HostID: m.Host, Size: m.Size}
	}
	return list
}

func hasNamespace(s *specs.Spec, kind specs.LinuxNamespaceType) bool {
	return slices.ContainsFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == kind })
}

// setNet decides about the network namespace, and with it about /sys: a new sysfs
// needs one that the container's user namespace owns.
func setNet(s *specs.Spec, o TemplateOptions) error {
	own := hasNamespace(s, specs.NetworkNamespace)
	switch o.Net {
	case "":
		return nil
	case "host":
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == specs.NetworkNamespace })
	case "none":
		if !own {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
		}
	default:
		return fmt.Errorf("network %q is not host or none", o.Net)
	}
	if o.Net == "host" && hasNamespace(s, specs.UserNamespace) {
		for i := range s.Mounts {
			if s.Mounts[i].Destination == "/sys" {
				s.Mounts[i] = sysMount(true)
			}
		}
	}
	return nil
}

// parseBind reads SRC:DST[:OPTIONS], options as in config.json; ro is the usual one.
func parseBind(text string) (specs.Mount, error) {
	parts := strings.SplitN(text, ":", 3)
	if len(parts) < 2 || parts[0] == "" || !strings.HasPrefix(parts[1], "/") {
		return specs.Mount{}, errors.New("not SOURCE:DESTINATION[:OPTIONS] with an absolute destination")
	}
	m := specs.Mount{Source: parts[0], Destination: parts[1], Type: "bind", Options: []string{"rbind"}}
	if len(parts) < 3 {
		return m, nil
	}
	for opt := range strings.SplitSeq(parts[2], ",") {
		if findMountOption(opt) == nil {
			return m, fmt.Errorf("%q is no option of a bind mount", opt)
		}
		m.Options = append(m.Options, opt)
	}
	return m, nil
}

// limitTemplate writes the limits, swap not beside memory.
func limitTemplate(s *specs.Spec, o TemplateOptions) {
	const period = 100000 // µs, the kernel's default
	if o.Memory <= 0 && o.CPUs <= 0 {
		return
	}
	if s.Linux.Resources == nil {
		s.Linux.Resources = &specs.LinuxResources{}
	}
	if o.Memory > 0 {
		limit := o.Memory
		s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
	}
	if o.CPUs > 0 {
		quota, p := int64(o.CPUs*period), uint64(period)
		s.Linux.Resources.CPU = &specs.LinuxCPU{Quota: &quota, Period: &p}
	}
}
