package wire

// The field lists of the messages, in the order in which they travel.

// Encode returns the Plan as bytes.
func (p *Plan) Encode() []byte {
	const rest = 3 << 10 // without the filter, most plans fit
	return encode(make([]byte, 0, rest+len(p.Process.SeccompFilter)), p, (*codec).plan)
}

// Decode reads a Plan from data; what it holds afterwards does not alias data.
func (p *Plan) Decode(data []byte) error { return decode(data, p, (*codec).plan) }

func (c *codec) plan(p *Plan) {
	c.boolean(&p.Exec)
	list(c, &p.CgroupTasks, num[int])
	c.boolean(&p.NewCgroupNS)
	c.boolean(&p.NewNetNS)
	num(c, &p.StartListener)
	c.str(&p.KeyringName)
	c.str(&p.KeyringLabel)
	num(c, &p.PreserveFDs)
	opt(c, &p.HotMounts, (*codec).hotMounts)
	c.boolean(&p.Anteroom)
	c.process(&p.Process)
	num(c, &p.Terminal.ConsoleFD)
	num(c, &p.Terminal.Width)
	num(c, &p.Terminal.Height)
	c.boolean(&p.UserNS)
	c.boolean(&p.NoSetgroups)
	c.str(&p.Hostname)
	c.str(&p.Domainname)
	list(c, &p.Sysctls, (*codec).sysctl)
	c.boolean(&p.MountNS)
	c.rootfs(&p.Rootfs)
	list(c, &p.CreateContainerHooks, (*codec).hook)
	list(c, &p.StartContainerHooks, (*codec).hook)
	c.boolean(&p.HostHooks)
	c.str(&p.HookState)
}

func (c *codec) process(p *Process) {
	list(c, &p.Args, str)
	list(c, &p.Env, str)
	c.str(&p.Cwd)
	num(c, &p.UID)
	num(c, &p.GID)
	list(c, &p.Groups, num[uint32])
	c.boolean(&p.SetGroups)
	num(c, &p.Umask)
	opt(c, &p.Capabilities, (*codec).capabilities)
	c.boolean(&p.NoNewPrivs)
	list(c, &p.Rlimits, (*codec).rlimit)
	num(c, &p.NofileSoft)
	num(c, &p.NofileHard)
	opt(c, &p.OOMScoreAdj, num[int])
	c.str(&p.AppArmorProfile)
	c.str(&p.SELinuxLabel)
	c.bytes(&p.SeccompFilter)
	num(c, &p.SeccompFlags)
	c.boolean(&p.SeccompNotify)
	opt(c, &p.Scheduler, (*codec).scheduler)
	opt(c, &p.IOPriority, num[int])
	opt(c, &p.Personality, num[uint64])
	opt(c, &p.MemoryPolicy, (*codec).memoryPolicy)
	c.boolean(&p.AllCPUs)
	c.bytes(&p.FinalAffinity)
	opt(c, &p.Landlock, (*codec).landlock)
}

func (c *codec) landlock(l *Landlock) {
	num(c, &l.FS)
	num(c, &l.Net)
	num(c, &l.Scoped)
	list(c, &l.Paths, (*codec).landlockPath)
	list(c, &l.Ports, (*codec).landlockPort)
	c.boolean(&l.Strict)
}

func (c *codec) landlockPath(p *LandlockPath) {
	c.str(&p.Path)
	num(c, &p.Access)
}

func (c *codec) landlockPort(p *LandlockPort) {
	num(c, &p.Port)
	num(c, &p.Access)
}

func (c *codec) capabilities(s *Capabilities) {
	num(c, &s.Bounding)
	num(c, &s.Effective)
	num(c, &s.Inheritable)
	num(c, &s.Permitted)
	num(c, &s.Ambient)
}

func (c *codec) rlimit(r *Rlimit) {
	num(c, &r.Resource)
	num(c, &r.Soft)
	num(c, &r.Hard)
	c.str(&r.Name)
}

func (c *codec) scheduler(s *Scheduler) {
	num(c, &s.Policy)
	num(c, &s.Flags)
	num(c, &s.Nice)
	num(c, &s.Priority)
	num(c, &s.Runtime)
	num(c, &s.Deadline)
	num(c, &s.Period)
	c.boolean(&s.AfterHooks)
}

func (c *codec) memoryPolicy(m *MemoryPolicy) {
	num(c, &m.Mode)
	c.bytes(&m.Nodes)
}

func (c *codec) sysctl(s *Sysctl) {
	c.str(&s.Path)
	c.str(&s.Value)
}

func (c *codec) hook(h *Hook) {
	c.str(&h.Path)
	list(c, &h.Args, str)
	list(c, &h.Env, str)
	num(c, &h.Timeout)
	c.boolean(&h.EnvOfProcess)
	num(c, &h.Stdout)
	num(c, &h.Stderr)
}

func (c *codec) rootfs(r *Rootfs) {
	c.str(&r.Path)
	num(c, &r.FD)
	num(c, &r.Propagation)
	num(c, &r.FinalPropagation)
	c.boolean(&r.Readonly)
	c.boolean(&r.NoPivot)
	list(c, &r.Mounts, (*codec).mount)
	list(c, &r.Devices, (*codec).device)
	c.boolean(&r.BindDevices)
	c.boolean(&r.SetupDev)
	list(c, &r.MaskedPaths, str)
	list(c, &r.ReadonlyPaths, str)
	c.str(&r.MountLabel)
	opt(c, &r.Layer, (*codec).layer)
	c.str(&r.MountContext)
}

func (c *codec) mount(m *Mount) {
	num(c, &m.Index)
	c.str(&m.Source)
	c.str(&m.Destination)
	c.str(&m.Type)
	c.str(&m.Data)
	c.boolean(&m.Bind)
	c.boolean(&m.Recursive)
	c.boolean(&m.Remount)
	num(c, &m.FD)
	num(c, &m.AttrSet)
	num(c, &m.AttrClr)
	num(c, &m.RecAttrSet)
	num(c, &m.RecAttrClr)
	num(c, &m.SuperFlags)
	list(c, &m.Propagation, num[uint64])
	c.boolean(&m.TmpCopyUp)
	c.boolean(&m.CopySymlink)
	c.boolean(&m.SrcNofollow)
	c.boolean(&m.DestNofollow)
	list(c, &m.CgroupV1, (*codec).cgroupHierarchy)
	c.str(&m.CgroupV2)
	c.boolean(&m.SkipLabel)
}

func (c *codec) hotMounts(h *HotMounts) {
	num(c, &h.NS)
	list(c, &h.Remove, str)
}

func (c *codec) layer(l *Layer) {
	c.str(&l.Path)
	list(c, &l.Lowers, str)
	list(c, &l.LowerFDs, num[int])
	c.boolean(&l.UserXattr)
	num(c, &l.FD)
}

func (c *codec) cgroupHierarchy(h *CgroupHierarchy) {
	c.str(&h.Name)
	c.str(&h.Options)
	list(c, &h.Links, str)
	c.str(&h.Source)
	num(c, &h.FD)
	c.boolean(&h.Readonly)
}

func (c *codec) device(d *Device) {
	c.str(&d.Path)
	num(c, &d.Mode)
	num(c, &d.Major)
	num(c, &d.Minor)
	num(c, &d.UID)
	num(c, &d.GID)
}
