package cgroups

import (
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Config says where a container's cgroup goes and what limits it gets.
type Config struct {
	// ID is the container id, the default name of its cgroup.
	ID string
	// Path is linux.cgroupsPath: absolute, relative, empty, or slice:prefix:name
	// for the systemd driver.
	Path string
	// Driver is "cgroupfs", "systemd" or "disabled"; empty means cgroupfs.
	Driver string
	// Rootless ignores errors of permission when a cgroup cannot be made and
	// nothing was asked of it.
	Rootless bool
	// UserNS says that the container has a user namespace of its own (device
	// rules cannot be written from it).
	UserNS bool
	// Owner is the host uid that may make cgroups below the container's, on v2; 0:
	// nobody but the host's root.
	Owner int
	// Subgroup is a cgroup below the systemd unit's into which the container goes, and
	// Delegated one below the container's that its processes are moved into, to manage
	// it themselves; both on v2 alone. Empty: none.
	Subgroup, Delegated string
	// Resources are the limits; nil: none but the default device rules.
	Resources *specs.LinuxResources
	// Annotations are those of config.json (org.systemd.property.*).
	Annotations map[string]string
}

// Unified is the name, beside those of v1 controllers, of the cgroup2 hierarchy that
// a hybrid host has.
const Unified = "unified"

// Record is what a state file keeps of a container's cgroup, enough to load a
// Manager for it again.
type Record struct {
	// Driver is the driver that made it.
	Driver string `json:"driver"`
	// Paths maps a controller (v1: "memory", "name=systemd" …, and Unified on a hybrid
	// host; v2: "") to the absolute host path of the directory:
	// /sys/fs/cgroup/memory/ID.
	Paths map[string]string `json:"paths,omitempty"`
	// Unit is the systemd unit, for the systemd driver.
	Unit string `json:"unit,omitempty"`
	// Rootless says that missing permissions were accepted at creation.
	Rootless bool `json:"rootless,omitempty"`
	// DeviceRules are those an update has set; nil: those of config.json are in
	// force. The kernel cannot list them all.
	DeviceRules []specs.LinuxDeviceCgroup `json:"deviceRules,omitempty"`
}

// Join holds the open file descriptors a process needs to enter a cgroup without
// waiting for the kernel (docs/nsenter.md): on v1 the `tasks` files, to which a
// single thread writes "0"; on v2 the directory for CLONE_INTO_CGROUP. The
// owner closes them.
type Join struct {
	Tasks []int // open for writing, close-on-exec
	Dir   int   // -1 on v1
}

// Manager owns one container's cgroup in all hierarchies.
type Manager interface {
	// Create makes the directories; it undoes its own work when it fails. A
	// cgroup that exists and holds processes is an error.
	Create() error
	// Set writes the limits; absent fields stay unchanged. When one is refused, those
	// of a cgroup in use are put back; a new one is to be destroyed.
	Set(r *specs.LinuxResources) error
	// OpenJoin opens what a process needs to enter the cgroup, or its child sub
	// (exec --cgroup: "" for the container's own, or controller → path on v1, "" → path on v2).
	OpenJoin(sub map[string]string) (*Join, error)
	// OpenJoinWith opens the cgroup that process pid of the container is in, which on
	// v2 may lie below the container's: one that gives controllers to its children
	// takes no process itself (EBUSY; cgroups(7), no internal processes).
	OpenJoinWith(pid int) (*Join, error)
	// Room tells how many tasks more the pids limits allow in the cgroup, or its child
	// sub as for OpenJoin: those of the cgroup itself and of all above it.
	Room(sub map[string]string) (uint64, error)
	// Add moves a process in by writing its pid: the slow way, which waits for an
	// RCU grace period; for processes that cannot enter by themselves.
	Add(pid int) error
	// Freeze stops (true) or thaws (false) every process and waits until it is done.
	Freeze(frozen bool) error
	// Frozen tells whether the cgroup is frozen.
	Frozen() (bool, error)
	// Kill sends SIGKILL to every process in the cgroup, also to frozen ones and to
	// those in child cgroups.
	Kill() error
	// Pids lists the processes in the cgroup and its children.
	Pids() ([]int, error)
	// Destroy removes the directories, children included; gone already is fine.
	// It retries for a bounded time while processes are still exiting.
	Destroy() error
	// Record returns what the state file keeps.
	Record() Record
	// OOMKills returns the number of OOM kills counted so far (0 where unknown).
	OOMKills() (uint64, error)
}

// Placer is a Manager whose cgroup cannot be made before there is a process to put
// into it, as systemd makes none without. Create does nothing there, and Place
// comes in the stead of Set and of joining.
type Placer interface {
	Manager
	// Place makes the cgroup with the process in it and applies the limits of the
	// Config. The process must not run foreign code yet. On an error Destroy undoes
	// what was done.
	Place(pid int) error
}

// Delegator is a Manager with a cgroup for Config.Delegated.
type Delegator interface {
	// Delegate makes it, with all controllers there are, gives it to Config.Owner and
	// moves process pid of the container in. The limits of the container's cgroup, which
	// has no process of its own from then on, hold for it.
	Delegate(pid int) error
}

// ErrNoCgroup reports that a container has no cgroup that could do what was asked.
var ErrNoCgroup = errors.New("container has no cgroup")

// FrozenError refuses a cgroup that is frozen, or below one that is: who enters it
// stops, and on v1 outlives SIGKILL there.
type FrozenError struct {
	// Cgroup is its path, or whose it is.
	Cgroup string
}

func (e *FrozenError) Error() string {
	return "cgroup " + e.Cgroup + " is frozen: no process could start in it"
}
