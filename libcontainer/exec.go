package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"berth/cgroups"
	"berth/internal/accounts"
	"berth/internal/idmap"
	"berth/libcontainer/configs"
	"berth/libcontainer/launch"
	"berth/libcontainer/state"
	"berth/libcontainer/wire"
	"berth/specconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var errNoProcess = errors.New("cannot start a container without a process: config.json has no process")

// Exec runs a further process in a container. In the foreground it returns the
// exit code as a shell gives it, detached 0 once the process runs.
func (rt *Runtime) Exec(id string, o ExecOptions) (int, error) {
	launch.CalmMonitor()
	c, err := rt.open(id)
	if err != nil {
		return -1, err
	}
	defer c.close()
	if err := c.enterable(o.IgnorePaused); err != nil {
		return -1, err
	}
	p, doc, err := c.execProcess(&o)
	if err != nil {
		return -1, err
	}
	if err := checkConsole(p.Terminal, o.ConsoleSocket, o.Detach); err != nil {
		return -1, err
	}
	if err := checkPreserveFDs(o.PreserveFDs); err != nil {
		return -1, err
	}
	plan, err := rt.execPlan(c, p, doc, &o)
	if err != nil {
		return -1, err
	}
	term, err := openTerminal(p.Terminal, o.Detach, o.ConsoleSocket)
	if err != nil {
		return -1, err
	}
	defer term.close()
	var fg *launch.Foreground
	if !o.Detach {
		fg = launch.NewForeground(term.tty, true)
	}
	affinity, err := initialAffinity(p)
	if err != nil {
		return -1, err
	}
	child, err := rt.join(c, plan, term, o.Cgroup, affinity)
	if err != nil {
		return -1, err
	}
	if err := rt.startExec(c, child, term, &o); err != nil {
		child.Kill()
		return -1, err
	}
	defer child.Close()
	if o.Detach {
		return 0, nil
	}
	return fg.Wait(child)
}

// enterable refuses containers that no process can join; the sentences are runc's.
func (c *opened) enterable(ignorePaused bool) error {
	status, err := c.status()
	if err != nil {
		return err
	}
	switch {
	case status == state.Stopped || status == state.Creating:
		return errors.New("cannot exec in a stopped container")
	case status == state.Paused && !ignorePaused:
		return errors.New("cannot exec in a paused container (use --ignore-paused to override)")
	}
	return nil
}

// execProcess lays the options over --process, or over the container's own process.
func (c *opened) execProcess(o *ExecOptions) (*specs.Process, *specconv.Document, error) {
	raw, err := c.dir.LoadConfig()
	if err != nil {
		return nil, nil, err
	}
	doc, err := specconv.Parse(state.ConfigFile, raw)
	if err != nil {
		return nil, nil, err
	}
	p := o.Process
	if p == nil {
		if p = doc.Process; p == nil {
			p = &specs.Process{Cwd: "/"}
		}
		p.Terminal = false
	} else if doc.Process != nil {
		inherit(p, doc.Process)
	}
	if err := c.overlay(p, o); err != nil {
		return nil, nil, err
	}
	return p, doc, nil
}

// inherit gives a process that is described as a whole what belongs to all processes
// of the container where the description leaves it open; peers do so as well, and
// without a label it would run unconfined.
func inherit(p, from *specs.Process) {
	if p.ApparmorProfile == "" {
		p.ApparmorProfile = from.ApparmorProfile
	}
	if p.SelinuxLabel == "" {
		p.SelinuxLabel = from.SelinuxLabel
	}
	if p.Rlimits == nil {
		p.Rlimits = from.Rlimits
	}
	if p.Scheduler == nil {
		p.Scheduler = from.Scheduler
	}
	if p.IOPriority == nil {
		p.IOPriority = from.IOPriority
	}
	if p.ExecCPUAffinity == nil {
		p.ExecCPUAffinity = from.ExecCPUAffinity
	}
}

func (c *opened) overlay(p *specs.Process, o *ExecOptions) error {
	if len(o.Args) > 0 {
		p.Args = o.Args
	}
	if o.Cwd != "" {
		p.Cwd = o.Cwd
	}
	if p.Cwd == "" {
		p.Cwd = "/"
	}
	p.Env = append(p.Env, o.Env...)
	p.Terminal = p.Terminal || o.Tty
	p.NoNewPrivileges = p.NoNewPrivileges || o.NoNewPrivs
	if o.AppArmor != "" {
		p.ApparmorProfile = o.AppArmor
	}
	if o.ProcessLabel != "" {
		p.SelinuxLabel = o.ProcessLabel
	}
	if o.User != "" {
		u, err := accounts.ParseUser(o.User)
		if err != nil {
			return err
		}
		u, groups, err := c.resolve(u)
		if err != nil {
			return fmt.Errorf("user %q: %w", o.User, err)
		}
		if noSetgroups(c.state) {
			groups = nil // nobody in this container has any
		}
		p.User.UID, p.User.AdditionalGids = u.UID, groups
		if u.HasGID {
			p.User.GID = u.GID
		}
	}
	p.User.AdditionalGids = append(p.User.AdditionalGids, o.AdditionalGids...)
	if len(o.Caps) > 0 {
		addCaps(p, o.Caps)
	}
	return nil
}

// addCaps leaves the inheritable set alone: what is in it would pass through
// execve to files with inheritable capabilities (CVE-2022-29162).
func addCaps(p *specs.Process, caps []string) {
	if p.Capabilities == nil {
		p.Capabilities = &specs.LinuxCapabilities{}
	}
	c := p.Capabilities
	c.Bounding = append(c.Bounding, caps...)
	c.Effective = append(c.Effective, caps...)
	c.Permitted = append(c.Permitted, caps...)
}

// execPlan turns the process into the plan of its init stage.
func (rt *Runtime) execPlan(c *opened, p *specs.Process, doc *specconv.Document, o *ExecOptions) (*wire.Plan, error) {
	opts := specconv.ProcessOptions{Exec: true, Linux: doc.Linux, Annotations: doc.Annotations, NoSetgroups: noSetgroups(c.state)}
	if doc.Linux != nil {
		opts.UIDMappings, opts.GIDMappings = idMaps(doc.Linux.UIDMappings), idMaps(doc.Linux.GIDMappings)
	}
	process, warnings, err := specconv.ConvertProcess(p, opts)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		rt.Log.Warn(w)
	}
	plan := &wire.Plan{
		Exec:        true,
		Process:     process,
		UserNS:      c.state.UserNS,
		NoSetgroups: opts.NoSetgroups,
	}
	plan.Terminal.Width, plan.Terminal.Height = specconv.ConsoleSize(p)
	plan.PreserveFDs = o.PreserveFDs + passListenFDs(&plan.Process)
	if doc.Linux != nil && len(doc.Linux.Seccomp) > 0 {
		if err := rt.loadFilter(doc.Linux.Seccomp, specconv.FailUnknownSyscall(doc.Annotations), &plan.Process); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// noSetgroups tells whether the kernel refuses setgroups(2) in the user namespace
// that the container's processes are in, its own or that of berth.
func noSetgroups(s *state.State) bool {
	return idmap.SetgroupsDenied("/proc/" + strconv.Itoa(s.PID))
}

// join starts the init stage in the container's namespaces and cgroup.
func (rt *Runtime) join(c *opened, plan *wire.Plan, term *terminal, cgroup []string, affinity []byte) (*launch.Child, error) {
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	sub, err := parseSubCgroups(cgroup)
	if err != nil {
		return nil, err
	}
	join, err := m.OpenJoin(sub)
	if err != nil {
		return nil, err
	}
	defer closeJoin(join)
	init, err := c.openInit()
	if err != nil {
		return nil, err
	}
	defer init.close()
	room, err := m.Room(sub)
	if err != nil {
		return nil, fmt.Errorf("pids limit of %s: %w", c.state.ID, err)
	}
	o := launch.Options{
		Plan:     plan,
		Target:   &launch.Target{PID: c.state.PID, Pidfd: init.pidfd},
		Cgroup:   join,
		Affinity: affinity,
		Joined:   c.state.IntelRdt.Join,
		Listener: -1,
		Console:  term.console,
		Sealed:   c.state.Traces || needsSeal(c.state.UserNS, true, &plan.Process),
		Snooped:  c.state.Traces,
		Crowded:  room < initThreads,
	}
	if len(sub) == 0 {
		// systemd or another engine inside may have made the container's cgroup an
		// inner node: then the process goes where init is.
		o.OtherCgroup = func() (*cgroups.Join, error) { return m.OpenJoinWith(c.state.PID) }
		o.AddToCgroup = m.Add
	}
	child, err := launch.Start(o)
	if err != nil {
		return nil, err
	}
	if err := child.UntilReady(nil, rt.Log.Warn); err != nil {
		child.Kill()
		return nil, err
	}
	return child, nil
}

// initialAffinity is where the process runs until it is in its cgroup.
func initialAffinity(p *specs.Process) ([]byte, error) {
	if p.ExecCPUAffinity == nil {
		return nil, nil
	}
	return specconv.BitList(p.ExecCPUAffinity.Initial)
}

// startExec tells whoever asked which process it is, and lets it run.
func (rt *Runtime) startExec(c *opened, child *launch.Child, term *terminal, o *ExecOptions) error {
	if err := sendPidfd(o.PidfdSocket, child.PID); err != nil {
		return err
	}
	if err := writePIDFile(o.PIDFile, child.PID); err != nil {
		return err
	}
	err := child.Proceed()
	if err == nil {
		err = term.receive()
	}
	if err == nil {
		err = child.Release(rt.Log.Warn, c.sendListener(child.PID, state.Running))
	}
	if err != nil && o.PIDFile != "" {
		// It names a process that never was.
		err = errors.Join(err, os.Remove(o.PIDFile))
	}
	return err
}

// idMaps repeats mappings that were checked when the container was created.
func idMaps(list []specs.LinuxIDMapping) []configs.IDMap {
	maps := make([]configs.IDMap, len(list))
	for i, m := range list {
		maps[i] = configs.IDMap{Container: m.ContainerID, Host: m.HostID, Size: m.Size}
	}
	return maps
}
