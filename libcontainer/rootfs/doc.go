// Package rootfs builds the container's view of the file system from a
// wire.Rootfs: mounts, device nodes, the console, the change of the root,
// read-only and masked paths, sysctls.
//
//	Prepare        "/" slave or private; the root bound on itself; mounts; devices; /dev links
//	MountConsole   the terminal on /dev/console, before Enter or after it
//	Enter          change of the root: pivot_root(2), or a move and chroot(2)
//	Finish         read-only root and paths, masks, propagation of the new "/"
//
// Every mount is made detached (open_tree, fsopen), gets all its attributes there
// and is then attached by fd (move_mount) to an object that was opened inside the
// root by fd: there is no moment at which a mount is writable that is to be
// read-only, and no path that is checked and then resolved again
// (CVE-2021-30465). Kernels without mount_setattr(2), before v5.12, get the
// same through mount(2) with a path below a verified procfs as target: legacy.go.
//
// Runs: stage 2, on the one locked thread, inside all namespaces. The umask
// is zero while it works.
package rootfs
