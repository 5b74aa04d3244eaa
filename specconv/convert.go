package specconv

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"berth/cgroups"
	"berth/internal/linux"
	"berth/libcontainer/configs"
	"berth/libcontainer/wire"
)

// Options are what a container's configuration needs beside config.json.
type Options struct {
	// ID is the container id; Convert checks it.
	ID string
	// Bundle is the absolute path of the bundle.
	Bundle string
	// CgroupDriver is "cgroupfs", "systemd" or "disabled"; empty: cgroupfs.
	CgroupDriver string
	// CgroupLayout is the host's, for mounts of type cgroup; nil: detected when
	// there is one.
	CgroupLayout *cgroups.Layout
	// Rootless accepts missing permissions for cgroups (--rootless true). It is
	// implied when berth runs without root.
	Rootless     bool
	NoPivot      bool
	NoNewKeyring bool
	PreserveFDs  int
	// Debug collects Config.Notes, which costs a second look at config.json.
	Debug bool
}

// converter carries the state of one Convert.
type converter struct {
	findings
	doc   *Document
	linux *Linux // never nil
	opts  Options
	cfg   *configs.Config
	plan  *wire.Plan
	// uids and gids are the maps of the container's user namespace as far as
	// config.json tells them, also of a joined one.
	uids, gids []configs.IDMap
}

// Convert checks a whole config and resolves it into plain data. It reads from
// the host (does a source exist, is AppArmor there) but changes nothing. Its
// error is of type ConfigErrors and holds everything that is wrong.
func Convert(doc *Document, opts Options) (*configs.Config, error) {
	if err := ValidateID(opts.ID); err != nil {
		return nil, err
	}
	c := convert(doc, opts)
	if err := c.err(); err != nil {
		return nil, err
	}
	c.cfg.Warnings = c.warnings
	if opts.Debug {
		c.cfg.Notes = c.allNotes()
	}
	return c.cfg, nil
}

// convert goes through the whole config, whatever is wrong with it.
func convert(doc *Document, opts Options) *converter {
	c := &converter{doc: doc, linux: doc.Linux, opts: opts, cfg: &configs.Config{}}
	if c.linux == nil {
		c.linux = &Linux{}
	}
	c.plan = &c.cfg.Plan
	c.identity()
	c.namespaces()
	c.mappings()
	c.timeOffsets()
	c.rootfs()
	c.mounts()
	c.devices()
	c.names()
	c.sysctls()
	c.process()
	c.hooks()
	c.netDevices()
	c.cgroup()
	c.intelRdt()
	c.seccomp()
	c.annotations()
	c.dropWithoutMountNS()
	c.otherPlatforms()
	return c
}

// identity fills what comes from the options alone.
func (c *converter) identity() {
	if !filepath.IsAbs(c.opts.Bundle) {
		c.fault("bundle %q is not an absolute path", c.opts.Bundle)
	}
	c.cfg.ID, c.cfg.Bundle, c.cfg.OCIVersion = c.opts.ID, c.opts.Bundle, c.doc.Version
	c.cfg.Annotations = c.doc.Annotations
	c.cfg.Rootless = os.Geteuid() != 0
	c.plan.StartListener = -1
	c.plan.Terminal.ConsoleFD = -1
	if c.opts.PreserveFDs < 0 {
		c.fault("preserve-fds: must not be negative")
	}
	c.plan.PreserveFDs = c.opts.PreserveFDs
	if !c.opts.NoNewKeyring {
		c.plan.KeyringName = "_ses." + c.opts.ID
		if c.doc.Process != nil {
			c.plan.KeyringLabel = c.doc.Process.SelinuxLabel
		}
	}
}

// names converts hostname and domainname, which would rename the host without a
// uts namespace.
func (c *converter) names() {
	uts := c.cfg.Namespace(linux.CLONE_NEWUTS) != nil
	c.plan.Hostname = c.utsName("hostname", c.doc.Hostname, uts)
	c.plan.Domainname = c.utsName("domainname", c.doc.Domainname, uts)
}

func (c *converter) utsName(field, name string, uts bool) string {
	const longest = 64 // __NEW_UTS_LEN
	switch {
	case name == "":
	case !uts:
		c.fault("%s: needs a uts namespace in linux.namespaces, or it would rename the host", field)
	case len(name) > longest:
		c.fault("%s: %d bytes long, the kernel takes at most %d", field, len(name), longest)
	}
	return name
}

// process converts the process section; without one create works and start fails.
func (c *converter) process() {
	p := c.doc.Process
	if p == nil {
		c.plan.Process = wire.Process{Umask: defaultUmask, Capabilities: &wire.Capabilities{}}
		return
	}
	c.cfg.HasProcess = true
	c.cfg.Terminal = p.Terminal
	c.cfg.ExecCPUAffinity = p.ExecCPUAffinity
	c.plan.Terminal.Width, c.plan.Terminal.Height = ConsoleSize(p)
	pc := processConverter{findings: &c.findings, opts: ProcessOptions{
		Linux: c.linux, UIDMappings: c.uids, GIDMappings: c.gids, NoSetgroups: c.plan.NoSetgroups,
		Annotations: c.doc.Annotations,
	}}
	c.plan.Process = pc.convert(p)
}

// cgroup says where the cgroup goes and what limits it gets.
func (c *converter) cgroup() {
	c.cfg.Cgroup = cgroups.Config{
		ID:          c.opts.ID,
		Path:        c.linux.CgroupsPath,
		Driver:      c.opts.CgroupDriver,
		Rootless:    c.opts.Rootless || c.cfg.Rootless,
		UserNS:      c.plan.UserNS,
		Owner:       c.cgroupOwner(),
		Resources:   c.linux.Resources,
		Annotations: c.doc.Annotations,
		Subgroup:    c.cgroupBelow(annotationSubgroup, c.opts.CgroupDriver == "systemd"),
		Delegated:   c.cgroupBelow(annotationDelegateCgroup, c.opts.CgroupDriver != "disabled"),
	}
	c.cgroupsPath(c.linux.CgroupsPath)
	c.resources()
}

// cgroupsPath refuses what does not fit the driver or climbs out of its place.
func (c *converter) cgroupsPath(path string) {
	if c.opts.CgroupDriver == "systemd" {
		if path != "" && strings.Count(path, ":") != 2 {
			c.fault("linux.cgroupsPath: expected slice:prefix:name for the systemd driver, found %q", path)
		}
		return
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == ".." {
			c.fault("linux.cgroupsPath: %q must not contain ..", path)
			return
		}
	}
}

// seccomp hands the profile on as text.
func (c *converter) seccomp() {
	if raw := c.linux.Seccomp; len(raw) > 0 && string(raw) != "null" {
		c.cfg.Seccomp = raw
	}
}

// dropWithoutMountNS leaves out what would change the host's mounts.
func (c *converter) dropWithoutMountNS() {
	if c.plan.MountNS {
		return
	}
	r := &c.plan.Rootfs
	left := make([]string, 0, 4)
	if len(r.Mounts) > 0 {
		left = append(left, "mounts")
	}
	if len(c.linux.MaskedPaths) > 0 {
		left = append(left, "linux.maskedPaths")
	}
	if len(c.linux.ReadonlyPaths) > 0 {
		left = append(left, "linux.readonlyPaths")
	}
	if len(c.linux.Devices) > 0 {
		left = append(left, "linux.devices")
	}
	if r.Readonly {
		left = append(left, "root.readonly")
	}
	if len(left) > 0 {
		c.warn("left out without a mount namespace of the container: %s", strings.Join(left, ", "))
	}
	r.Mounts, r.MaskedPaths, r.ReadonlyPaths, r.Devices = nil, nil, nil, nil
	r.Readonly, r.SetupDev, r.FinalPropagation = false, false, 0
	c.cfg.IDMapMounts = nil
}

// otherPlatforms names sections that mean nothing on Linux.
func (c *converter) otherPlatforms() {
	for _, s := range []struct {
		name string
		set  bool
	}{
		{"solaris", c.doc.Solaris != nil},
		{"windows", c.doc.Windows != nil},
		{"vm", c.doc.VM != nil},
		{"zos", c.doc.ZOS != nil},
		{"freebsd", c.doc.FreeBSD != nil},
	} {
		if s.set {
			c.warn("%s: section ignored, it is not for Linux containers", s.name)
		}
	}
}

// allNotes adds to the notes what only a debugging user wants to know.
func (c *converter) allNotes() []string {
	notes := c.notes
	if n := versionNote(c.doc.Version); n != "" {
		notes = append(notes, n)
	}
	for _, path := range UnknownFields(c.doc.Data) {
		notes = append(notes, "config.json: unknown field "+path+" ignored")
	}
	return notes
}

// sortedKeys makes the order of faults and of the plan independent of the map's.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
