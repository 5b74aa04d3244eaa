// Package configs holds the validated, resolved configuration of a container as
// plain data. specconv fills it from a bundle's config.json; nothing in it needs
// to be parsed or looked up again.
//
// Runs: parent.
package configs

import (
	"encoding/json"

	"berth/cgroups"
	"berth/internal/idmap"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Config is one container.
type Config struct {
	// ID is the container id, Bundle the absolute path of the bundle, OCIVersion
	// the version config.json claims.
	ID, Bundle, OCIVersion string
	// Namespaces are those the container does not share with the caller of berth.
	Namespaces []Namespace
	// UIDMappings and GIDMappings are set when a user namespace is new.
	UIDMappings, GIDMappings []IDMap
	// IDMapMounts are the mounts whose files show other owners; launch opens them
	// as detached mounts and puts the fd into Plan.Rootfs.Mounts.
	IDMapMounts []IDMapMount
	// TimeOffsets is the text for /proc/PID/timens_offsets; empty: none.
	TimeOffsets string
	// Plan is what the init stage does. launch adds fds and seccomp; Process.Args
	// is empty when config.json has no process.
	Plan wire.Plan
	// HasProcess says that config.json has a process.
	HasProcess bool
	// Terminal is process.terminal.
	Terminal bool
	// Cgroup says where the cgroup goes and its limits.
	Cgroup cgroups.Config
	// Seccomp is linux.seccomp as it stands in config.json; nil: none. The seccomp
	// package compiles it, or finds it compiled in its cache, by its bytes.
	Seccomp json.RawMessage
	// Hooks are all six kinds; those that run inside are also in Plan.
	Hooks Hooks
	// HookStdout and HookStderr are files that hooks append their output to; empty: it
	// is kept for error messages.
	HookStdout, HookStderr string
	// PidfdSocket gets a pidfd of the container's process; empty: nobody does.
	PidfdSocket string
	// FailUnknownSyscall refuses a seccomp profile with unknown names.
	FailUnknownSyscall bool
	// Annotations are those of config.json.
	Annotations map[string]string
	// NetDevices are moved into the container's network namespace.
	NetDevices map[string]specs.LinuxNetDevice
	// IntelRdt is linux.intelRdt; nil: none.
	IntelRdt *specs.LinuxIntelRdt
	// ExecCPUAffinity is process.execCPUAffinity, for exec.
	ExecCPUAffinity *specs.CPUAffinity
	// Rootless says that berth runs without privileges in the host's user namespace.
	Rootless bool
	// Warnings are things that were left out and why; they go to the log.
	Warnings []string
	// Notes are things worth knowing at --debug only (unknown fields).
	Notes []string
}

// Namespace is one namespace to create, or with a Path to join.
type Namespace struct {
	// Type is CLONE_NEW*.
	Type uintptr
	// Path is the nsfs file to join; empty: new.
	Path string
}

// IDMap is one line of uid_map or gid_map.
type IDMap = idmap.Map

// IDMapMount is the idmapping of one bind mount (mount_setattr(2), since v5.12).
type IDMapMount struct {
	// Mount is the index in Plan.Rootfs.Mounts.
	Mount int
	// Recursive maps the submounts too (ridmap).
	Recursive bool
	// UIDMappings and GIDMappings are both empty to use the container's user namespace.
	UIDMappings, GIDMappings []IDMap
}

// Hooks are the six kinds of OCI hooks.
type Hooks struct {
	Prestart, CreateRuntime, CreateContainer, StartContainer, Poststart, Poststop []wire.Hook
}

// NewNamespace tells whether the container has a namespace of the given CLONE_NEW* type
// made for it.
func (c *Config) NewNamespace(kind uintptr) bool {
	ns := c.Namespace(kind)
	return ns != nil && ns.Path == ""
}

// Namespace returns the entry of the given CLONE_NEW* type, or nil when the
// container shares that namespace with its caller.
func (c *Config) Namespace(kind uintptr) *Namespace {
	for i := range c.Namespaces {
		if c.Namespaces[i].Type == kind {
			return &c.Namespaces[i]
		}
	}
	return nil
}
