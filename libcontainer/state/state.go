// Package state keeps one directory per container below the root: state.json,
// the container's config.json, and the socket `berth start` calls while the
// container waits to be started. Files are replaced by temp file, fsync and
// rename; the directory's lock (flock) serialises verbs.
//
// A process is identified by pid and start time. The package derives a status,
// it never signals anything.
//
// Runs: parent.
package state

import (
	"time"

	"berth/cgroups"
	"berth/libcontainer/intelrdt"
)

// Version of the state file's layout. A berth refuses files of a newer one.
const Version = 1

// State is the saved part of a container, as state.json.
type State struct {
	Version    int    `json:"version"`
	ID         string `json:"id"`
	OCIVersion string `json:"ociVersion"`
	Bundle     string `json:"bundle"`
	Rootfs     string `json:"rootfs"`
	// PID and StartTime (field 22 of /proc/PID/stat, in clock ticks since boot)
	// identify the init process; 0 while the container is being created.
	PID       int    `json:"pid"`
	StartTime uint64 `json:"startTime"`
	// Created is when the container was created, in UTC.
	Created     time.Time         `json:"created"`
	Owner       int               `json:"owner"` // uid that created it
	Annotations map[string]string `json:"annotations,omitempty"`
	Cgroup      cgroups.Record    `json:"cgroup"`
	// Rootless says that an unprivileged user created it.
	Rootless bool `json:"rootless,omitempty"`
	// PrivatePIDNS says that the container has a pid namespace of its own, so that
	// the kernel kills every process with its init.
	PrivatePIDNS bool `json:"privatePidNamespace"`
	// Namespaces are the CLONE_NEW* types the container does not share with the
	// process that created it; exec joins them.
	Namespaces uint64 `json:"namespaces"`
	// Traces says that the container's processes may look into any process they see
	// (CAP_SYS_PTRACE in the host's user namespace).
	Traces bool `json:"traces,omitempty"`
	// UserNS says that the container lives in a user namespace other than its creator's.
	UserNS bool `json:"userNamespace,omitempty"`
	// Layer is the directory that takes what the container writes (run
	// --ephemeral=DIR), removed with it; empty: none.
	Layer string `json:"layer,omitempty"`
	// NetDevices are physical network devices that get their old names back once the
	// kernel has returned them.
	NetDevices []NetDevice `json:"netDevices,omitempty"`
	// IntelRdt is the container's group in resctrl; nil: none.
	IntelRdt *intelrdt.Group `json:"intelRdt,omitempty"`
}

// NetDevice is a network device that has another name inside the container.
type NetDevice struct {
	Host   string `json:"host"`
	Inside string `json:"inside"`
	// Hardware is the permanent hardware address, by which the device is known again.
	Hardware []byte `json:"hardware"`
}

// Status is one of the four words of the OCI state, or paused.
type Status string

// What State.Status returns.
const (
	Creating Status = "creating"
	Created  Status = "created"
	Running  Status = "running"
	Paused   Status = "paused"
	Stopped  Status = "stopped"
)
