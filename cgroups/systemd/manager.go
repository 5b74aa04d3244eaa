package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/cgroups/fs1"
	"berth/cgroups/fs2"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// files is what fs1 and fs2 do for a cgroup that systemd made.
type files interface {
	cgroups.Manager
	// Adopt opens the cgroup, which may hold processes, and makes it in hierarchies
	// that systemd leaves alone.
	Adopt() error
	// Change is Set for a cgroup in use that notes in j what it changes, for the
	// caller to take back.
	Change(r *specs.LinuxResources, j *cgfile.Journal) error
	// Close gives back file descriptors.
	Close()
}

// Manager owns a container's scope. What it does not say itself, the driver of the
// files does.
type Manager struct {
	files
	cfg     cgroups.Config
	v2      bool
	unit    string
	slice   string
	scope   string // where the unit's cgroup is; empty when loaded
	version int    // of systemd; 0: not asked yet
	bus     bus
	// extra are the properties of annotations.
	extra list
	// ours says that the unit is the container's: it is loaded, or was started.
	ours bool
}

var (
	_ cgroups.Placer    = (*Manager)(nil)
	_ cgroups.Delegator = (*Manager)(nil)
)

// New prepares the scope that cfg describes on a host with layout l. It makes
// nothing, and refuses what systemd or the host cannot apply.
func New(cfg cgroups.Config, l *cgroups.Layout) (*Manager, error) {
	m := &Manager{cfg: cfg, v2: l.V2, bus: bus{user: userManager()}}
	if m.bus.user && !l.V2 {
		return nil, errors.New("cgroup driver systemd: a user's systemd can limit containers on cgroup v2 only, and the host has v1")
	}
	n, err := parseName(&cfg, m.bus.user)
	if err != nil {
		return nil, err
	}
	m.unit, m.slice = n.unit, n.slice
	if m.extra, err = annotated(cfg.Annotations); err != nil {
		return nil, err
	}
	version, root, err := m.bus.manager()
	if err != nil {
		return nil, err
	}
	m.version = version
	below := cfg
	m.scope = path.Join(l.Root, root, n.path())
	below.Path = path.Join("/", root, n.path(), cfg.Subgroup)
	// A user may not load device programs.
	below.Rootless = cfg.Rootless || m.bus.user
	if m.files, err = newFiles(below, l); err != nil {
		m.bus.close()
		return nil, err
	}
	return m, nil
}

func newFiles(cfg cgroups.Config, l *cgroups.Layout) (files, error) {
	if l.V2 {
		return fs2.New(cfg, l)
	}
	return fs1.New(cfg, l)
}

// Load takes up the scope that a state file describes. It touches nothing.
func Load(rec cgroups.Record) *Manager {
	m := &Manager{unit: rec.Unit, ours: true, bus: bus{user: userManager()}}
	if _, m.v2 = rec.Paths[""]; m.v2 {
		m.files = fs2.Load(rec)
	} else {
		m.files = fs1.Load(rec)
	}
	return m
}

// Record returns what Load needs.
func (m *Manager) Record() cgroups.Record {
	rec := m.files.Record()
	rec.Driver, rec.Unit = "systemd", m.unit
	return rec
}

// Create has nothing to do: systemd makes a scope around a process; see Place.
func (m *Manager) Create() error { return nil }

// Place starts the scope with the process in it and writes the limits; see
// cgroups.Placer.
func (m *Manager) Place(pid int) error {
	props, err := m.properties(pid)
	if err != nil {
		return err
	}
	if err := m.bus.start(m.unit, props); err != nil {
		return err
	}
	m.ours = true
	if err := m.descend(pid); err != nil {
		return fmt.Errorf("systemd unit %s: %w", m.unit, err)
	}
	if err := m.Adopt(); err != nil {
		return fmt.Errorf("systemd unit %s: %w", m.unit, err)
	}
	if err := m.files.Set(m.cfg.Resources); err != nil || m.v2 {
		return err
	}
	// systemd knows some of the hierarchies of v1 only. A cpuset must have been
	// filled by now.
	return m.files.Add(pid)
}

// descend makes Config.Subgroup and moves the process there.
func (m *Manager) descend(pid int) error {
	if m.cfg.Subgroup == "" || !m.v2 {
		return nil
	}
	d, err := cgfile.Open(m.scope)
	if err != nil {
		return err
	}
	defer d.Close()
	below, err := fs2.Descend(d, m.cfg.Subgroup, pid)
	if err != nil {
		return err
	}
	below.Close()
	return nil
}

// Delegate moves a process of the container into Config.Delegated; see
// cgroups.Delegator.
func (m *Manager) Delegate(pid int) error {
	d, ok := m.files.(cgroups.Delegator)
	if !ok {
		return fmt.Errorf("delegate cgroup %s: the host has cgroup v1", m.cfg.Delegated)
	}
	return d.Delegate(pid)
}

// properties are those of a new unit.
func (m *Manager) properties(pid int) (list, error) {
	var p list
	p.set("Description", "berth container "+m.cfg.ID)
	p.set("Slice", m.slice)
	p.set("PIDs", []uint32{uint32(pid)})
	p.set("Delegate", true)
	// Or it would be stopped early at shutdown, and wait for basic.target.
	p.set("DefaultDependencies", false)
	if m.version >= 236 {
		// A failed scope goes as one that ended: nobody looks at it afterwards.
		p.set("CollectMode", "inactive-or-failed")
	}
	p.set("MemoryAccounting", true)
	p.set("CPUAccounting", true)
	p.set("TasksAccounting", true)
	if m.v2 {
		p.set("IOAccounting", true)
	} else {
		p.set("BlockIOAccounting", true)
	}
	if !m.bus.user {
		dev, err := deviceProperties(m.cfg.Resources, m.version)
		if err != nil {
			return nil, err
		}
		p = append(p, dev...)
	}
	limits, err := m.limitProperties()
	if err != nil {
		return nil, err
	}
	p = append(p, limits...)
	for _, e := range m.extra {
		p.variant(e.Name, e.Value)
	}
	return p, nil
}

// limitProperties are the limits of a new unit.
func (m *Manager) limitProperties() (list, error) {
	if !m.v2 {
		return properties1(m.cfg.Resources, specs.LinuxCPU{}, m.version), nil
	}
	limits, err := limits2(m.cfg.Resources)
	if err != nil {
		return nil, err
	}
	return properties2(limits, m.version)
}

// Set changes the limits; see cgroups.Manager. The files come first, where what the
// kernel refuses is refused before the unit promises it, and again behind the
// unit: systemd rounds a quota, and puts its own device program beside the
// container's. What one of the three refuses takes the others back, the files last.
func (m *Manager) Set(r *specs.LinuxResources) error {
	return cgfile.Attempt(func(j *cgfile.Journal) error { return m.change(r, j) })
}

func (m *Manager) change(r *specs.LinuxResources, j *cgfile.Journal) error {
	if err := m.Change(r, j); err != nil || r == nil {
		return err
	}
	props, err := m.changes(r)
	if err != nil || len(props) == 0 {
		return err
	}
	exact := m.exact(r)
	before, err := m.bus.properties(m.unit, props)
	if err != nil {
		return err
	}
	devices := len(r.Devices) > 0
	if err := m.setUnit(props, devices); err != nil {
		return err // systemd takes all properties or none
	}
	j.Add(func() error { return m.setUnit(before, devices) })
	return m.Change(exact, j)
}

// setUnit changes properties, devices among them or not.
func (m *Manager) setUnit(props list, devices bool) error {
	if !m.v2 && devices {
		// On v1 systemd denies everything first; nobody may be in the way of that.
		thaw, err := m.hold()
		if err != nil {
			return err
		}
		defer thaw()
	}
	return m.bus.set(m.unit, props)
}

// exact adds the bandwidth that the files have to an update: systemd writes its
// rounded one with whatever property is set.
func (m *Manager) exact(r *specs.LinuxResources) *specs.LinuxResources {
	have := m.bandwidth()
	if limits.Value(have.Quota) <= 0 || have.Period == nil {
		return r
	}
	whole := *r
	whole.CPU = &specs.LinuxCPU{}
	if r.CPU != nil {
		*whole.CPU = *r.CPU
	}
	whole.CPU.Quota, whole.CPU.Period = have.Quota, have.Period
	return &whole
}

// hold freezes the container unless it is frozen; the function it returns undoes that.
func (m *Manager) hold() (func(), error) {
	if frozen, err := m.Frozen(); frozen || err != nil {
		return func() {}, err
	}
	if err := m.Freeze(true); err != nil {
		return nil, err
	}
	return func() {
		// A container that went away meanwhile has nothing to thaw.
		_ = m.Freeze(false)
	}, nil
}

// changes are the properties that follow from an update, after the files have it.
func (m *Manager) changes(r *specs.LinuxResources) (list, error) {
	if m.version == 0 {
		var err error
		if m.version, _, err = m.bus.manager(); err != nil {
			return nil, err
		}
	}
	props, err := m.changedLimits(r)
	if err != nil {
		return nil, err
	}
	if len(r.Devices) == 0 || m.bus.user {
		return props, nil
	}
	dev, err := deviceProperties(r, m.version)
	if err != nil {
		return nil, err
	}
	for _, p := range dev {
		if entries, ok := p.Value.Value().([]allow); ok {
			props = props.allowing(entries)
		} else {
			props.variant(p.Name, p.Value)
		}
	}
	return props, nil
}

func (m *Manager) changedLimits(r *specs.LinuxResources) (list, error) {
	if !m.v2 {
		var have specs.LinuxCPU
		if c := r.CPU; c != nil && (limits.Value(c.Quota) == 0) != (limits.Value(c.Period) == 0) {
			have = m.bandwidth()
		}
		return properties1(r, have, m.version), nil
	}
	limits, err := limits2(r)
	if err != nil || len(limits) == 0 {
		return nil, err
	}
	if limits, err = m.present(limits); err != nil {
		return nil, err
	}
	return properties2(limits, m.version)
}

// present replaces the values of files by what they hold now: an update may name
// half of a value. A weight takes the place of an end of idleness, which brings an
// older one back.
func (m *Manager) present(limits []limit) ([]limit, error) {
	d, err := cgfile.Open(m.files.Record().Paths[""])
	if err != nil {
		return nil, err
	}
	defer d.Close()
	now := make([]limit, 0, len(limits))
	for _, l := range limits {
		if l.file == "cpu.idle" && strings.TrimSpace(l.value) != "1" {
			l.file = "cpu.weight"
		}
		text, err := d.Read(l.file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// An I/O weight may be in BFQ's file, a limit without a kernel part nowhere.
		case err != nil:
			return nil, err
		default:
			l.value = text
		}
		if l.file == "cpu.weight" && l.value == "0" {
			continue // idle, as cpu.weight shows it
		}
		now = append(now, l)
	}
	return now, nil
}

// bandwidth reads the quota, -1 for none, and the period; what cannot be read is
// left out: the driver of the files has refused to set it then.
func (m *Manager) bandwidth() specs.LinuxCPU {
	var c specs.LinuxCPU
	paths := m.files.Record().Paths
	dir, quota, period := paths["cpu"], "cpu.cfs_quota_us", "cpu.cfs_period_us"
	if m.v2 {
		dir, quota, period = paths[""], "cpu.max", ""
	}
	d, err := cgfile.Open(dir)
	if err != nil {
		return c
	}
	defer d.Close()
	text, err := d.Read(quota)
	if err != nil {
		return c
	}
	if m.v2 {
		text, period, _ = strings.Cut(text, " ")
	} else if period, err = d.Read(period); err != nil {
		return c
	}
	if text == "max" {
		text = "-1"
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		c.Quota = &n
	}
	if n, err := strconv.ParseUint(period, 10, 64); err == nil {
		c.Period = &n
	}
	return c
}

// Add moves a process in; see cgroups.Manager. A user may not move one from a
// session into a scope of his manager, but may ask for it.
func (m *Manager) Add(pid int) error {
	err := m.files.Add(pid)
	if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) {
		return err
	}
	return m.bus.attach(m.unit, m.below(), pid)
}

// below is where in the unit's cgroup the container's is: "/NAME" for Config.Subgroup.
func (m *Manager) below() string {
	_, rel, ok := strings.Cut(m.files.Record().Paths[""], "/"+escapeCgroup(m.unit)+"/")
	if !ok {
		return ""
	}
	return "/" + rel
}

// Destroy removes the cgroup and the unit; see cgroups.Manager. A scope ends with
// its last process, but a failed one stays loaded where systemd is old, and on v1
// systemd may miss that one has ended.
func (m *Manager) Destroy() error {
	if !m.ours {
		return nil
	}
	defer m.bus.close()
	if err := m.files.Destroy(); err != nil {
		return err
	}
	err := m.bus.stop(m.unit)
	var gone *noManagerError
	if m.bus.user && errors.As(err, &gone) && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED)) {
		return nil // the user's manager ended, and its units with it
	}
	return err
}

// Close gives back the connection and the file descriptors; the Manager stays usable.
func (m *Manager) Close() {
	m.bus.close()
	m.files.Close()
}
