package wire

// Plan is what the init stage carries out. Every string has been validated and
// every name turned into a number by the parent.
type Plan struct {
	// Exec is set for a further process in a container that already runs: then
	// nothing below Process is looked at but Hooks.
	Exec bool
	// CgroupTasks are inherited fds of cgroup v1 `tasks` files, open for writing:
	// the init stage writes "0" to each (docs/nsenter.md, cgroup joins).
	CgroupTasks []int
	// NewCgroupNS unshares the cgroup namespace once the cgroups are joined.
	NewCgroupNS bool
	// NewNetNS says that the network namespace is the container's own: its loopback
	// device is brought up.
	NewNetNS bool
	// StartListener is the inherited fd of a listening socket on which `berth
	// start` calls; -1: Start comes over the connection that brought the Plan.
	StartListener int
	// KeyringName names the session keyring to join; empty: keep the caller's.
	KeyringName string
	// KeyringLabel is the SELinux label for it.
	KeyringLabel string
	// PreserveFDs is how many fds from 3 on (before ListenFDs) the workload inherits.
	PreserveFDs int

	// HotMounts, when set, makes the init stage change the mounts of a container that
	// runs, and nothing else: Rootfs.Mounts are made.
	HotMounts *HotMounts
	// Anteroom makes the init stage turn its mount namespace into an anteroom
	// (docs/nsenter.md, a host with many mounts), and nothing else.
	Anteroom bool

	Process  Process
	Terminal Terminal

	// UserNS says that the init stage is root of a user namespace of its own: it
	// takes uid and gid 0 there before anything else.
	UserNS bool
	// NoSetgroups says that setgroups(2) is refused by the kernel (no newgidmap).
	NoSetgroups bool

	Hostname, Domainname string
	Sysctls              []Sysctl
	// MountNS says that the container has a mount namespace of its own, new or
	// joined; without one the root is entered by chroot(2) and nothing is mounted.
	MountNS bool
	Rootfs  Rootfs

	CreateContainerHooks []Hook
	StartContainerHooks  []Hook
	// HostHooks says that the parent has prestart or createRuntime hooks to run:
	// the init stage sends HooksDue and waits.
	HostHooks bool
	// HookState is the OCI state for the hooks run inside; the bytes "@STATUS@" in
	// it stand for the status.
	HookState string
}

// Process is the workload of a container, or of an exec.
type Process struct {
	Args []string
	// Env holds KEY=VALUE entries. HOME is added by the init stage from the
	// container's passwd file when it is absent.
	Env      []string
	Cwd      string
	UID, GID uint32
	Groups   []uint32
	// SetGroups is false to keep the caller's supplementary groups.
	SetGroups bool
	Umask     int // -1: keep
	// Capabilities are bit sets by capability number.
	Capabilities *Capabilities
	NoNewPrivs   bool
	Rlimits      []Rlimit
	// NofileSoft and NofileHard restore RLIMIT_NOFILE, which Go's start-up raised,
	// when Rlimits does not set it.
	NofileSoft, NofileHard uint64
	OOMScoreAdj            *int
	AppArmorProfile        string
	SELinuxLabel           string
	// SeccompFilter is an array of struct sock_filter, native byte order.
	SeccompFilter []byte
	SeccompFlags  uint64
	// SeccompNotify says that the filter has SCMP_ACT_NOTIFY actions.
	SeccompNotify bool
	Scheduler     *Scheduler
	IOPriority    *int // the value of ioprio_set(2)
	// Personality is the argument of personality(2).
	Personality  *uint64
	MemoryPolicy *MemoryPolicy
	// Landlock restricts the workload; nil: nothing does.
	Landlock *Landlock
	// AllCPUs lets the workload run on all CPUs of its cpuset, whatever berth itself is
	// confined to. FinalAffinity is a CPU mask for sched_setaffinity(2) in its place.
	// Either is set right before execve; without both the mask is left as it is.
	AllCPUs       bool
	FinalAffinity []byte
}

// Capabilities are the five sets of capabilities(7), a bit per capability.
type Capabilities struct {
	Bounding, Effective, Inheritable, Permitted, Ambient uint64
}

// Rlimit is one resource limit of setrlimit(2).
type Rlimit struct {
	Resource   int
	Soft, Hard uint64
	Name       string // RLIMIT_X, for errors
}

// Scheduler is struct sched_attr of sched_setattr(2).
type Scheduler struct {
	Policy                    uint32
	Flags                     uint64
	Nice                      int32
	Priority                  uint32
	Runtime, Deadline, Period uint64
	// AfterHooks sets it only once the startContainer hooks have run: a thread under
	// SCHED_DEADLINE may not fork (sched(7)).
	AfterHooks bool
}

// MemoryPolicy is the arguments of set_mempolicy(2).
type MemoryPolicy struct {
	Mode  int
	Nodes []byte // bit mask, little endian longs
}

// Landlock is a ruleset of landlock(7).
type Landlock struct {
	// FS, Net and Scoped are what is forbidden unless a rule allows it.
	FS, Net, Scoped uint64
	Paths           []LandlockPath
	Ports           []LandlockPort
	// Strict makes it an error that the kernel does not know an access right, or that
	// a path does not exist; otherwise both are left out with a warning.
	Strict bool
}

// LandlockPath allows Access at and below a path of the container.
type LandlockPath struct {
	Path   string
	Access uint64
}

// LandlockPort allows Access to a TCP port.
type LandlockPort struct {
	Port, Access uint64
}

// Terminal describes the controlling terminal of the workload.
type Terminal struct {
	// ConsoleFD is the inherited fd of the connected socket that the pty master is
	// sent over; -1: no terminal.
	ConsoleFD     int
	Width, Height uint16
}

// Sysctl is one kernel parameter; Path is relative to /proc/sys, with slashes.
type Sysctl struct {
	Path, Value string
}

// Hook is one OCI hook run inside. Timeout is in seconds, 0: none.
type Hook struct {
	Path    string
	Args    []string
	Env     []string
	Timeout int
	// EnvOfProcess gives it the environment of the process in the place of Env, as the
	// init stage completes it.
	EnvOfProcess bool
	// Stdout and Stderr are inherited fds of files it writes to; 0: its output is kept
	// for the error message.
	Stdout, Stderr int
}

// Rootfs is the container's view of the file system.
type Rootfs struct {
	// Path is the host path of the root directory, absolute and clean; the last
	// component is not a symlink.
	Path string
	// FD is an inherited fd of a detached mount of Path, for a mount namespace that is
	// copied from an anteroom; 0: none.
	FD int
	// Propagation is what "/" of the new mount namespace gets before anything is
	// mounted (MS_SLAVE|MS_REC or MS_PRIVATE|MS_REC …); never shared.
	Propagation uint64
	// FinalPropagation is applied to the container's "/" after pivot_root: linux.rootfsPropagation
	// when it is shared or unbindable, else 0.
	FinalPropagation uint64
	Readonly         bool
	NoPivot          bool
	Mounts           []Mount
	Devices          []Device
	// BindDevices binds the host's device nodes instead of mknod(2), which user
	// namespaces forbid.
	BindDevices bool
	// SetupDev creates the default links and /dev/ptmx below /dev: false when a
	// mount of the config binds a directory over /dev.
	SetupDev      bool
	MaskedPaths   []string
	ReadonlyPaths []string
	// MountLabel is the SELinux context of new mounts.
	MountLabel string
	// Layer, when set, takes what the container writes in the place of Path.
	Layer *Layer
	// MountContext is the mount option for it; empty: "context".
	MountContext string
}

// HotMounts is a change to the mounts of a container that runs.
type HotMounts struct {
	// NS is the inherited fd of its mount namespace. It is entered once the sources
	// are open, which are the host's.
	NS int
	// Remove are mount points to unmount, in this order.
	Remove []string
}

// Layer is a throw-away upper layer of an overlay over the root directory, or over
// the layers of an image, which is then mounted on the root directory.
type Layer struct {
	// Path is an empty directory for it; empty: a tmpfs of its own.
	Path string
	// Lowers are the directories of an image's layers, the topmost first; none: the
	// root directory itself.
	Lowers []string
	// LowerFDs are inherited fds of detached mounts of Lowers, where the init stage may
	// not reach those; none otherwise.
	LowerFDs []int
	// UserXattr mounts with the option userxattr even outside of a user namespace of
	// the container: berth itself is in one.
	UserXattr bool
	// FD is an inherited fd of a detached mount of Path, where the init stage may not
	// reach that; -1: none.
	FD int
}

// Mount is one entry of mounts, in the order of the config.
type Mount struct {
	// Index is the position in config.json, for errors.
	Index                           int
	Source, Destination, Type, Data string
	// Bind clones Source; without it a file system of Type is made.
	Bind, Recursive bool
	// Remount changes the flags of what is mounted at Destination.
	Remount bool
	// FD is an inherited fd of a detached mount that the parent opened instead of
	// Source (sources that only the host's root reaches, and idmapped ones); -1: none.
	FD int
	// AttrSet and AttrClr are MOUNT_ATTR_* bits of this mount; RecAttrSet and
	// RecAttrClr those of the recursive options (rro, rnosuid …).
	AttrSet, AttrClr, RecAttrSet, RecAttrClr uint64
	// SuperFlags are the MS_* bits that belong to the superblock (MS_RDONLY,
	// MS_SYNCHRONOUS, MS_DIRSYNC, MS_MANDLOCK, MS_LAZYTIME, MS_SILENT, MS_I_VERSION).
	SuperFlags uint64
	// Propagation holds MS_* propagation types to apply after mounting, in order.
	Propagation                            []uint64
	TmpCopyUp                              bool
	CopySymlink, SrcNofollow, DestNofollow bool
	// CgroupV1 lists, for a mount of type cgroup on a v1 or hybrid host, the
	// hierarchies to mount below Destination; for v2 it is empty and Type is cgroup2.
	CgroupV1 []CgroupHierarchy
	// CgroupV2 is, for a mount of type cgroup2, the host path of the container's own
	// cgroup: bound where the kernel refuses a new mount (EPERM, EBUSY) and the
	// container has a cgroup namespace of its own. Else, or when empty, that is the
	// host's whole tree, read-only.
	CgroupV2 string
	// SkipLabel: no SELinux context for this mount (proc, sysfs, cgroup, mqueue …).
	SkipLabel bool
}

// CgroupHierarchy is one v1 hierarchy as it appears below /sys/fs/cgroup inside.
type CgroupHierarchy struct {
	// Name is the directory below the mount's destination ("cpu,cpuacct", "systemd", "unified").
	Name string
	// Options are the mount options that select the hierarchy ("cpu,cpuacct",
	// "none,name=systemd"); "cgroup2" for the hybrid unified one.
	Options string
	// Links are the names that point to Name ("cpu", "cpuacct").
	Links []string
	// Source is the host path of the container's own cgroup directory in this hierarchy, to be bound
	// when the container has no cgroup namespace of its own; empty: mount the hierarchy.
	Source string
	// FD is an inherited fd of a detached mount that the parent opened instead of
	// Source; 0: none.
	FD int
	// Readonly keeps the container from writing to a Source that is not its own.
	Readonly bool
}

// Device is one node below the rootfs.
type Device struct {
	Path string
	// Mode holds S_IFCHR, S_IFBLK or S_IFIFO and the permission bits.
	Mode         uint32
	Major, Minor uint32
	UID, GID     uint32
}
