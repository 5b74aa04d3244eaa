package libcontainer

import (
	"time"

	"berth/internal/log"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Runtime is where containers live and how they are made; its fields are the
// global flags.
type Runtime struct {
	// Root holds a directory per container.
	Root string
	// StickyRoot gives Root the sticky bit when it is made (below XDG_RUNTIME_DIR).
	StickyRoot bool
	// Unsynced spares the syncs of the containers' state, for containers that nobody asks
	// about after a crash of the machine.
	Unsynced bool
	// CgroupDriver is "cgroupfs", "systemd" or "disabled".
	CgroupDriver string
	// Rootless ignores missing permissions for cgroups.
	Rootless bool
	// Log takes warnings and debug notes; never nil.
	Log *log.Logger
	// RemoveAsRoot removes a directory as root of a user namespace with the caller's
	// subordinate ids, where the caller itself may not; nil: nobody can.
	RemoveAsRoot func(dir string) error
}

// CreateOptions are the flags of create, which run and restore share.
type CreateOptions struct {
	ID     string
	Bundle string // default: the working directory
	// ConfigFile replaces config.json of the bundle; empty: Bundle/config.json.
	ConfigFile    string
	ConsoleSocket string
	PIDFile       string
	PidfdSocket   string
	NoPivot       bool
	NoNewKeyring  bool
	PreserveFDs   int
	// Strict refuses what would be left out with a warning, and unknown fields.
	Strict bool
	// Image is the root file system of a container that is made from an image; nil:
	// the bundle has one.
	Image *ImageRoot
}

// ImageRoot is an overlay that is mounted on the bundle's root directory, in the
// container's own mount namespace.
type ImageRoot struct {
	// Layers are directories, the topmost first.
	Layers []string
	// UserXattr says that the layers keep overlayfs's marks in user.* attributes, as a
	// user namespace writes them.
	UserXattr bool
	// Dir holds the upper layer in upper, and work. It goes with the container, even
	// with one that could not be made.
	Dir string
}

// RunOptions are the flags of run.
type RunOptions struct {
	CreateOptions
	Detach bool
	// Keep leaves the container's state after it ended.
	Keep        bool
	NoSubreaper bool
	// Ephemeral lets the container write into a layer over its root file system that
	// is thrown away with it: a tmpfs, or a new directory below EphemeralDir.
	Ephemeral    bool
	EphemeralDir string
	// Ended, when set, is told the exit code as soon as the workload has ended, before
	// the container is removed. It says that this process runs other containers after
	// this one: Run then passes on no signals, and gives back all that it has opened.
	Ended func(code int)
}

// ExecOptions are the flags of exec. Process, when set, is the whole process and
// the fields behind it, down to Cgroup, are laid over it where they are set.
type ExecOptions struct {
	Process *specs.Process // --process FILE; nil: the container's own, with Args
	Args    []string
	Env     []string
	Cwd     string
	// User is USER[:GROUP], numbers, or names of the container's files; empty: the
	// container's.
	User           string
	AdditionalGids []uint32
	Caps           []string
	Tty            bool
	NoNewPrivs     bool
	ProcessLabel   string
	AppArmor       string
	Cgroup         []string
	ConsoleSocket  string
	PIDFile        string
	PidfdSocket    string
	PreserveFDs    int
	Detach         bool
	IgnorePaused   bool
}

// Info is one container as list and state show it.
type Info struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	PID         int               `json:"pid"`
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"`
}
