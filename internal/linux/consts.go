package linux

// open(2), openat2(2) and *at flags that package syscall lacks.
const (
	O_PATH            = 0x200000
	O_TMPFILE         = 0x410000
	AT_FDCWD          = -0x64
	AtSymlinkNofollow = 0x100
	AtNoAutomount     = 0x800
	AtEmptyPath       = 0x1000
	AtRecursive       = 0x8000
	AtEaccess         = 0x200

	ResolveNoXdev       = 0x01
	ResolveNoMagiclinks = 0x02
	ResolveNoSymlinks   = 0x04
	ResolveBeneath      = 0x08
	ResolveInRoot       = 0x10
)

// The mount API of v5.2: open_tree, move_mount, fsopen, fsconfig, fsmount.
const (
	OpenTreeClone = 0x1

	MoveMountFEmptyPath = 0x04
	MoveMountTEmptyPath = 0x40

	FsconfigSetFlag   = 0
	FsconfigSetString = 1
	FsconfigCmdCreate = 6
)

// Mount attributes of mount_setattr(2), since v5.12, and fsmount(2).
const (
	MountAttrRdonly      = 0x000001
	MountAttrNosuid      = 0x000002
	MountAttrNodev       = 0x000004
	MountAttrNoexec      = 0x000008
	MountAttrAtime       = 0x000070 // mask of the three atime modes
	MountAttrNoatime     = 0x000010
	MountAttrStrictatime = 0x000020
	MountAttrNodiratime  = 0x000080
	MountAttrNosymfollow = 0x200000
)

// mount(2) flags that package syscall lacks.
const (
	MS_LAZYTIME    = 1 << 25
	MS_NOSYMFOLLOW = 1 << 8
	UmountNofollow = 0x8
)

// prctl(2) options.
const (
	PrSetDumpable     = 4
	PrSetKeepcaps     = 8
	PrSetTimerslack   = 29
	PrCapbsetDrop     = 24
	PrSetNoNewPrivs   = 38
	PrCapAmbient      = 47
	PrCapAmbientRaise = 2
	PrCapAmbientClear = 4
)

// File system magic numbers of statfs(2).
const (
	ProcSuperMagic    = 0x9fa0
	DevptsMagic       = 0x1cd1
	CgroupSuperMagic  = 0x27e0eb
	Cgroup2SuperMagic = 0x63677270
	NsfsMagic         = 0x6e736673
)

// Namespace kinds of clone(2), unshare(2) and setns(2).
const (
	CLONE_NEWTIME   = 0x80
	CLONE_NEWNS     = 0x00020000
	CLONE_NEWCGROUP = 0x02000000
	CLONE_NEWUTS    = 0x04000000
	CLONE_NEWIPC    = 0x08000000
	CLONE_NEWUSER   = 0x10000000
	CLONE_NEWPID    = 0x20000000
	CLONE_NEWNET    = 0x40000000
)

// seccomp(2) operations and filter flags.
const (
	SeccompSetModeFilter          = 1
	SeccompFilterFlagTsync        = 1 << 0
	SeccompFilterFlagNewListener  = 1 << 3
	SeccompFilterFlagTsyncEsrch   = 1 << 4
	SeccompFilterFlagWaitKillRecv = 1 << 5
)

// MfdCloexec is a flag of memfd_create(2).
const MfdCloexec = 0x1

// CloseRangeCloexec is a flag of close_range(2), since v5.11.
const CloseRangeCloexec = 4
