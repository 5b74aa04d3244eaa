package boot

import (
	"syscall"

	"berth/libcontainer/rootfs"
)

// anteroomSteps make the mount namespace that those of containers are copied from.
// The stage keeps it until the parent has pinned it.
var anteroomSteps = []step{
	{"anteroom", func(*stage) error { return rootfs.MakeAnteroom() }},
	{"ready", (*stage).ready},
	{"end", func(*stage) error { syscall.Exit(0); return nil }},
}
