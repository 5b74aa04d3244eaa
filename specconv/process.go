package specconv

import (
	"math"
	"path/filepath"
	"strings"

	"berth/libcontainer/configs"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// defaultUmask is what a process gets that names none. The spec would keep the
// caller's, but that is 0 under some daemons, and every other runtime takes 022.
const defaultUmask = 0o022

// ProcessOptions say where a process will run.
type ProcessOptions struct {
	// Linux is the linux section of the container, whose personality and memory
	// policy all its processes have; nil: there is none.
	Linux *Linux
	// Exec converts a further process of a running container: execCPUAffinity applies.
	Exec bool
	// UIDMappings and GIDMappings are those of the container's user namespace,
	// against which the ids are checked; empty: not checked.
	UIDMappings, GIDMappings []configs.IDMap
	// NoSetgroups says that supplementary groups cannot be set (Plan.NoSetgroups).
	NoSetgroups bool
	// Annotations are the container's: some are about its processes.
	Annotations map[string]string
}

// ConvertProcess converts a process alone, for exec. The strings are warnings;
// the error is of type ConfigErrors. Seccomp and RLIMIT_NOFILE's values to restore
// stay unset.
func ConvertProcess(p *specs.Process, opts ProcessOptions) (wire.Process, []string, error) {
	f := &findings{}
	c := processConverter{findings: f, opts: opts}
	w := c.convert(p)
	if err := f.err(); err != nil {
		return wire.Process{}, nil, err
	}
	return w, f.warnings, nil
}

// ConsoleSize returns width and height of the terminal, 0 when they are not
// given or there is no terminal.
func ConsoleSize(p *specs.Process) (width, height uint16) {
	if !p.Terminal || p.ConsoleSize == nil || p.ConsoleSize.Width > math.MaxUint16 || p.ConsoleSize.Height > math.MaxUint16 {
		return 0, 0
	}
	return uint16(p.ConsoleSize.Width), uint16(p.ConsoleSize.Height)
}

type processConverter struct {
	*findings
	opts ProcessOptions
}

func (c *processConverter) convert(p *specs.Process) wire.Process {
	w := wire.Process{
		Args:        p.Args,
		Env:         c.env(p.Env),
		Cwd:         p.Cwd,
		NoNewPrivs:  p.NoNewPrivileges,
		OOMScoreAdj: p.OOMScoreAdj,
	}
	c.command(p)
	c.user(&w, &p.User)
	w.Capabilities = c.capabilities(p.Capabilities)
	w.Rlimits = c.rlimits(p.Rlimits)
	c.labels(&w, p)
	w.Scheduler = c.scheduler(p.Scheduler)
	w.IOPriority = c.ioPriority(p.IOPriority)
	c.affinity(&w, p.ExecCPUAffinity)
	w.Landlock = c.landlock(c.opts.Annotations[annotationLandlock])
	if l := c.opts.Linux; l != nil {
		w.Personality, w.MemoryPolicy = c.personality(l.Personality), c.memoryPolicy(l.MemoryPolicy)
	}
	return w
}

func (c *processConverter) command(p *specs.Process) {
	switch {
	case len(p.Args) == 0:
		c.fault("process.args: missing, there is nothing to run")
	case p.Args[0] == "":
		c.fault("process.args[0]: is empty, there is nothing to run")
	}
	switch {
	case p.Cwd == "":
		c.fault("process.cwd: missing")
	case !filepath.IsAbs(p.Cwd):
		c.fault("process.cwd: %q is not absolute", p.Cwd)
	}
	if p.OOMScoreAdj != nil && (*p.OOMScoreAdj < -1000 || *p.OOMScoreAdj > 1000) {
		c.fault("process.oomScoreAdj: %d is not between -1000 and 1000", *p.OOMScoreAdj)
	}
	size := p.ConsoleSize
	if p.Terminal && size != nil && (size.Width > math.MaxUint16 || size.Height > math.MaxUint16) {
		c.fault("process.consoleSize: %dx%d, a terminal has at most 65535 columns and rows", size.Width, size.Height)
	}
	if p.CommandLine != "" {
		c.warn("process.commandLine: ignored, it is for Windows")
	}
}

// env checks the entries and keeps the last of those with one name, as a shell does.
func (c *processConverter) env(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := make([]string, 0, len(list))
	seen := make(map[string]int, len(list))
	for i, entry := range list {
		name, _, ok := strings.Cut(entry, "=")
		if !ok || name == "" {
			// Not what it says: it may be half of a secret.
			c.fault("process.env[%d]: is not NAME=VALUE", i)
			continue
		}
		if at, ok := seen[name]; ok {
			out[at] = entry
			continue
		}
		seen[name] = len(out)
		out = append(out, entry)
	}
	return out
}

// user converts the ids, which must exist in the container's user namespace.
func (c *processConverter) user(w *wire.Process, u *specs.User) {
	w.UID, w.GID, w.Groups = u.UID, u.GID, u.AdditionalGids
	keep := isSet(c.opts.Annotations, annotationKeepGroups)
	w.SetGroups = !c.opts.NoSetgroups && !keep
	w.Umask = defaultUmask
	if u.Umask != nil {
		w.Umask = int(*u.Umask)
		if *u.Umask > 0o777 {
			c.fault("process.user.umask: %d is larger than %d (0777)", *u.Umask, 0o777)
		}
	}
	if u.Username != "" {
		c.warn("process.user.username: ignored, it is for Windows")
	}
	c.id("user.uid", "uid", u.UID, c.opts.UIDMappings)
	c.id("user.gid", "gid", u.GID, c.opts.GIDMappings)
	for i, gid := range u.AdditionalGids {
		c.id(at("user.additionalGids", i), "gid", gid, c.opts.GIDMappings)
	}
	if keep && len(u.AdditionalGids) > 0 {
		c.warn("process.user.additionalGids: ignored, annotation %s keeps those of the caller", annotationKeepGroups)
	}
	if c.opts.NoSetgroups && !keep && len(u.AdditionalGids) > 0 {
		c.fault("process.user.additionalGids: cannot be set by an ordinary user without a range of group ids")
	}
}

func (c *processConverter) id(field, kind string, id uint32, maps []configs.IDMap) {
	switch {
	case id == math.MaxUint32:
		c.fault("process.%s: %d is not a valid id", field, id)
	case len(maps) > 0 && !mapped(maps, id):
		c.fault("process.%s: %d is not mapped in the container's user namespace (linux.%sMappings)", field, id, kind)
	}
}

// labels demands the security module a label is for: running without it would be
// running unconfined.
func (c *processConverter) labels(w *wire.Process, p *specs.Process) {
	w.AppArmorProfile, w.SELinuxLabel = p.ApparmorProfile, p.SelinuxLabel
	if p.ApparmorProfile != "" && !apparmorEnabled() {
		if p.ApparmorProfile == "unconfined" {
			w.AppArmorProfile = "" // where nothing confines this is the case already
		} else {
			c.lack("process.apparmorProfile: AppArmor is not enabled on this host")
		}
	}
	if p.SelinuxLabel != "" && !selinuxEnabled() {
		c.lack("process.selinuxLabel: SELinux is not enabled on this host")
	}
}

// affinity checks execCPUAffinity; the first process of a container is not bound by it.
// Where it says nothing about the end the kernel decides, as the specification asks.
func (c *processConverter) affinity(w *wire.Process, a *specs.CPUAffinity) {
	w.AllCPUs = a == nil || !c.opts.Exec
	if a == nil {
		return
	}
	if _, err := BitList(a.Initial); err != nil {
		c.fault("process.execCPUAffinity.initial: %w", err)
	}
	mask, err := BitList(a.Final)
	if err != nil {
		c.fault("process.execCPUAffinity.final: %w", err)
	}
	if c.opts.Exec {
		w.FinalAffinity = mask
	}
}
