package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"berth/cgroups"
	"berth/cgroups/manager"
	"berth/internal/cleanup"
	"berth/libcontainer/anteroom"
	"berth/libcontainer/configs"
	"berth/libcontainer/hooks"
	"berth/libcontainer/launch"
	"berth/libcontainer/state"
	"berth/libcontainer/wire"
	"berth/seccomp"
	"berth/specconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Create makes a container that stands and waits to be started; the init stage
// lives on as a child of the caller's subreaper. On an error nothing is left.
func (rt *Runtime) Create(o CreateOptions) error {
	cfg, doc, err := rt.configure(o)
	if err != nil {
		return err
	}
	if err := checkConsole(cfg.Terminal, o.ConsoleSocket, true); err != nil {
		return err
	}
	console := -1
	if o.ConsoleSocket != "" {
		if console, err = connectUnix(o.ConsoleSocket); err != nil {
			return fmt.Errorf("console socket %s: %w", o.ConsoleSocket, err)
		}
		defer unix.Close(console)
	}
	c, err := rt.build(o, cfg, doc, buildOptions{console: console, listen: true})
	if err != nil {
		return err
	}
	c.devices.close()
	c.child.Close()
	return c.dir.Close()
}

// configure reads the bundle and refuses whatever can be refused before anything
// has changed.
func (rt *Runtime) configure(o CreateOptions) (*configs.Config, *specconv.Document, error) {
	if err := specconv.ValidateID(o.ID); err != nil {
		return nil, nil, err
	}
	launch.CalmMonitor()
	bundle, err := filepath.Abs(o.Bundle)
	if err != nil {
		return nil, nil, fmt.Errorf("bundle %s: %w", o.Bundle, err)
	}
	doc, err := specconv.Load(bundle, o.ConfigFile)
	if err != nil {
		return nil, nil, err
	}
	rt.Log.Debugf("container %s: bundle %s", o.ID, bundle)
	cfg, err := specconv.Convert(doc, specconv.Options{
		ID:           o.ID,
		Bundle:       bundle,
		Debug:        rt.Log.Debugging(),
		NoPivot:      o.NoPivot,
		NoNewKeyring: o.NoNewKeyring,
		CgroupDriver: rt.CgroupDriver,
		Rootless:     rt.Rootless,
	})
	if err != nil {
		return nil, nil, err
	}
	if o.Strict {
		if err := strict(cfg, doc); err != nil {
			return nil, nil, err
		}
	}
	for _, w := range cfg.Warnings {
		rt.Log.Warn(w)
	}
	for _, n := range cfg.Notes {
		rt.Log.Debug(n)
	}
	if err := checkPreserveFDs(o.PreserveFDs); err != nil {
		return nil, nil, err
	}
	cfg.Plan.PreserveFDs = o.PreserveFDs + passListenFDs(&cfg.Plan.Process)
	return cfg, doc, nil
}

// checkConsole enforces who may have a terminal: a workload that outlives berth
// needs somebody else to hold its pty.
func checkConsole(terminal bool, socket string, detach bool) error {
	switch {
	case terminal && detach && socket == "":
		return errors.New("cannot allocate tty if berth will detach without setting console socket")
	case socket != "" && !(terminal && detach):
		return errors.New("cannot use console socket if berth will not detach or allocate tty")
	}
	return nil
}

// buildOptions are what create and run want differently.
type buildOptions struct {
	// console is the connected socket that takes the pty; -1: no terminal.
	console int
	// listen makes the init stage wait on the start socket.
	listen bool
	// ephemeral makes a layer for what the container writes, on a tmpfs or below
	// layerDir.
	ephemeral bool
	layerDir  string
}

// build makes the container up to the point where it waits to be started.
func (rt *Runtime) build(o CreateOptions, cfg *configs.Config, doc *specconv.Document, b buildOptions) (_ *container, err error) {
	c := &container{opened: opened{rt: rt, hooks: &cfg.Hooks}, cfg: cfg}
	if len(cfg.Seccomp) > 0 {
		if err := rt.loadFilter(cfg.Seccomp, cfg.FailUnknownSyscall, &cfg.Plan.Process); err != nil {
			return nil, err
		}
	}
	closeOutput, err := openHookOutput(cfg)
	if err != nil {
		return nil, err
	}
	defer closeOutput()
	if cfg.Cgroup.Driver == "systemd" {
		cfg.Cgroup.Resources, c.late = splitPids(cfg.Cgroup.Resources)
	}
	if c.mgr, err = manager.New(cfg.Cgroup); err != nil {
		return nil, err
	}
	var undo cleanup.Stack
	defer undo.Run()

	if err := c.claim(o, doc, b, &undo); err != nil {
		return nil, err
	}
	if err := c.makeLayer(&undo); err != nil {
		return nil, err
	}
	undo.Add(func() { rt.logError(c.mgr.Destroy()) })
	undo.Add(func() { rt.logError(c.devices.undo()) })
	if err := c.limit(); err != nil {
		return nil, err
	}
	if err := c.makeRdt(&undo); err != nil {
		return nil, err
	}
	specconv.BindCgroups(cfg, c.mgr.Record())
	if err := rt.launch(c, b, &undo); err != nil {
		return nil, rt.explain(c, err)
	}
	if err := c.record(o); err != nil {
		return nil, err
	}
	undo.Release()
	return c, nil
}

// claim takes the id, and writes down what the container will be before there is
// anything of it: killed from here on, berth leaves nothing that delete --force cannot
// find.
func (c *container) claim(o CreateOptions, doc *specconv.Document, b buildOptions, undo *cleanup.Stack) (err error) {
	if c.dir, err = c.rt.store().Create(c.cfg.ID); err != nil {
		return err
	}
	undo.Add(func() {
		c.rt.logError(c.forget())
		c.rt.logError(c.dir.Close())
	})
	// Before anything is written down: whoever finds this cgroup in a state file
	// takes the processes in it for the container's.
	if pids, err := c.mgr.Pids(); err == nil && len(pids) > 0 {
		return fmt.Errorf("cgroup of container %s exists and is not empty, pid %d is in it", c.cfg.ID, pids[0])
	}
	// The driver asks again, about those above as well; but when it has made the cgroup a
	// failure removes it, and this one is somebody else's.
	if frozen, err := c.mgr.Frozen(); err == nil && frozen {
		return &cgroups.FrozenError{Cgroup: "of container " + c.cfg.ID}
	}
	c.state = newState(c.cfg, c.mgr.Record())
	if err := c.planRdt(); err != nil {
		return err
	}
	if err := c.planLayer(o.Image, b); err != nil {
		return err
	}
	if err := c.dir.SaveConfig(doc.Data); err != nil {
		return err
	}
	if err := c.dir.Save(c.state); err != nil {
		return err
	}
	return offerNotify(c.dir, c.cfg)
}

// loadFilter compiles the seccomp profile, or finds it compiled.
func (rt *Runtime) loadFilter(profile json.RawMessage, failUnknown bool, to *wire.Process) error {
	if failUnknown {
		if err := seccomp.CheckNames(profile); err != nil {
			return err
		}
	}
	p, err := seccomp.Cached(profile, seccompCache())
	if err != nil {
		return err
	}
	for _, n := range p.Notes {
		rt.Log.Debug(n)
	}
	to.SeccompFilter, to.SeccompFlags, to.SeccompNotify = p.Filter, p.Flags, p.Notify
	return nil
}

// seccompCache is where compiled profiles are kept; empty: nowhere.
func seccompCache() string {
	if os.Geteuid() == 0 {
		return "/var/cache/berth/seccomp"
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return dir + "/berth/seccomp"
}

func newState(cfg *configs.Config, rec cgroups.Record) *state.State {
	s := &state.State{
		ID:          cfg.ID,
		OCIVersion:  cfg.OCIVersion,
		Bundle:      cfg.Bundle,
		Rootfs:      cfg.Plan.Rootfs.Path,
		Created:     time.Now().UTC(),
		Owner:       os.Geteuid(),
		Annotations: cfg.Annotations,
		Cgroup:      rec,
		Rootless:    cfg.Rootless,
	}
	for _, ns := range cfg.Namespaces {
		s.Namespaces |= uint64(ns.Type)
		s.UserNS = s.UserNS || ns.Type == unix.CLONE_NEWUSER
		s.PrivatePIDNS = s.PrivatePIDNS || ns.Type == unix.CLONE_NEWPID && ns.Path == ""
	}
	s.Traces = !s.UserNS && holds(&cfg.Plan.Process, unix.CAP_SYS_PTRACE)
	return s
}

// limit makes the cgroup and writes the limits, unless Place will.
func (c *container) limit() error {
	if err := c.mgr.Create(); err != nil || c.placer() != nil {
		return err
	}
	now := c.cfg.Cgroup.Resources
	if _, v2 := c.mgr.Record().Paths[""]; v2 {
		now, c.late = splitPids(now)
	}
	return c.mgr.Set(now)
}

// tighten writes the limit that splitPids kept back, once the init stage makes no
// threads any more.
func (c *container) tighten() error {
	if c.late == nil {
		return nil
	}
	return c.mgr.Set(c.late)
}

// initThreads is more than the Go runtime of an init stage ever starts.
const initThreads = 16

// splitPids takes a small pids limit out of the resources. On v2, and with systemd,
// the init stage is in the cgroup with all its threads, and a Go program needs some
// of them to start; its execve ends them. On v1 one thread joins, and one is enough.
func splitPids(r *specs.LinuxResources) (now, late *specs.LinuxResources) {
	if r == nil || r.Pids == nil || r.Pids.Limit == nil || *r.Pids.Limit < 0 || *r.Pids.Limit >= initThreads {
		return r, nil
	}
	rest := *r
	rest.Pids = nil
	return &rest, &specs.LinuxResources{Pids: r.Pids}
}

// join opens what the init stage needs to enter the cgroup; nil when it will be placed.
func (c *container) join() (*cgroups.Join, error) {
	if c.placer() != nil {
		return nil, nil
	}
	return c.mgr.OpenJoin(nil)
}

// launch starts the init stage and leads it to Ready.
func (rt *Runtime) launch(c *container, b buildOptions, undo *cleanup.Stack) error {
	join, err := c.join()
	if err != nil {
		return err
	}
	defer closeJoin(join)
	listener := -1
	if b.listen {
		if listener, err = listenStart(c.dir); err != nil {
			return err
		}
		defer unix.Close(listener)
	}
	cfg := c.cfg
	o := launch.Options{
		Plan:        &cfg.Plan,
		Namespaces:  cfg.Namespaces,
		UIDMappings: cfg.UIDMappings,
		GIDMappings: cfg.GIDMappings,
		IDMapMounts: cfg.IDMapMounts,
		TimeOffsets: cfg.TimeOffsets,
		Cgroup:      join,
		AddToCgroup: c.mgr.Add,
		Listener:    listener,
		Console:     b.console,
		Sealed:      needsSeal(c.state.UserNS, !c.state.PrivatePIDNS, &cfg.Plan.Process),
	}
	if c.placer() != nil || len(cfg.NetDevices) > 0 || c.state.IntelRdt != nil {
		o.Joined = c.joined
	}
	if d, ok := c.mgr.(cgroups.Delegator); ok && cfg.Cgroup.Delegated != "" {
		// Not before: the container's cgroup namespace has its root in the container's
		// cgroup, where the init stage is now.
		o.Ready = d.Delegate
	}
	if len(cfg.Plan.CreateContainerHooks)+len(cfg.Plan.StartContainerHooks) > 0 {
		o.HookState = func(pid int) string {
			c.state.PID = pid
			return c.hookState("@STATUS@")
		}
	}
	defer rt.openAnteroom(&o)()
	if c.child, err = launch.Start(o); err != nil {
		return err
	}
	hooked := false
	undo.Add(func() {
		c.child.Kill()
		if hooked {
			rt.logError(hooks.RunEvery("poststop", cfg.Hooks.Poststop, c.hookState(state.Stopped)))
		}
	})
	runtimeHooks := func() error {
		hooked = true
		c.state.PID = c.child.PID
		st := c.hookState(state.Creating)
		if err := hooks.RunAll("prestart", cfg.Hooks.Prestart, st); err != nil {
			return err
		}
		return hooks.RunAll("createRuntime", cfg.Hooks.CreateRuntime, st)
	}
	return c.child.UntilReady(runtimeHooks, rt.Log.Warn)
}

// openAnteroom lets the container's mount namespace be a copy of an anteroom where that
// is worth it.
func (rt *Runtime) openAnteroom(o *launch.Options) (closeIt func()) {
	if !o.FromAnteroom() || !anteroom.Wanted() {
		return func() {}
	}
	fd, err := anteroom.Open(rt.Root, o.Plan.PreserveFDs)
	if err != nil {
		rt.Log.Debugf("the container's mount namespace is a copy of the host's: %v", err)
		return func() {}
	}
	o.Anteroom = fd
	return func() { unix.Close(fd) }
}

// placer is the cgroup when it has to be made around the init stage; else nil.
func (c *container) placer() cgroups.Placer {
	p, _ := c.mgr.(cgroups.Placer)
	return p
}

// joined does what takes the init stage to be in its namespaces, from outside.
func (c *container) joined(pid int) (err error) {
	if p := c.placer(); p != nil {
		// First of all: nothing the container causes may happen outside its limits.
		if err := p.Place(pid); err != nil {
			return err
		}
	}
	if err := c.state.IntelRdt.Join(pid); err != nil {
		return err
	}
	if len(c.cfg.NetDevices) == 0 {
		return nil
	}
	if c.devices, err = openNetDevices(pid); err != nil {
		return fmt.Errorf("linux.netDevices: %w", err)
	}
	return c.devices.moveAll(c.cfg)
}

// record writes down who the container's process is, tells whoever asked, and
// lets the init stage go on to wait for start.
func (c *container) record(o CreateOptions) error {
	if err := c.tighten(); err != nil {
		return err
	}
	start, err := state.StartTime(c.child.PID)
	if err != nil {
		return fmt.Errorf("start time of the container process: %w", err)
	}
	c.state.PID, c.state.StartTime = c.child.PID, start
	// Without root some hierarchies may have been left out.
	c.state.Cgroup = c.mgr.Record()
	c.state.NetDevices = c.devices.record(c.cfg)
	if err := c.dir.Save(c.state); err != nil {
		return err
	}
	for _, path := range []string{o.PidfdSocket, c.cfg.PidfdSocket} {
		if err := sendPidfd(path, c.child.PID); err != nil {
			return err
		}
	}
	if err := writePIDFile(o.PIDFile, c.child.PID); err != nil {
		return err
	}
	return c.child.Proceed()
}

var errOOM = errors.New("out of memory, linux.resources.memory.limit is too small to start in")

// explain adds to an init stage that was killed what only the cgroup knows.
func (rt *Runtime) explain(c *container, err error) error {
	if !errors.Is(err, launch.ErrKilled) {
		return err
	}
	if n, e := c.mgr.OOMKills(); e == nil && n > 0 {
		return fmt.Errorf("%w: %w", err, errOOM)
	}
	return err
}

func closeJoin(j *cgroups.Join) {
	if j == nil {
		return
	}
	for _, fd := range j.Tasks {
		unix.Close(fd)
	}
	if j.Dir >= 0 {
		unix.Close(j.Dir)
	}
}

// logError keeps errors of an undo step, which must not hide the one that caused it.
func (rt *Runtime) logError(err error) {
	if err != nil {
		rt.Log.Warn("clean up: " + err.Error())
	}
}
