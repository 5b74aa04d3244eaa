// Package anteroom keeps a mount namespace with next to nothing in it, from which the
// mount namespaces of containers are copied on a host with many mounts: to copy the
// host's costs 4 µs for each of them (docs/nsenter.md).
//
// It is pinned below the runtime's root directory, one for each mount namespace that
// berth is called in:
//
//	ROOT/@mounts/           beside the containers; no id may hold an @
//	  4026531841/           the inode of the caller's mount namespace
//	                        a mount of its own, unbindable
//	    ns.1                the namespace, a bind of its nsfs file
//	    unable              in its place where the kernel would not have it
//
// The first create that wants it and has another container beside it makes it, the
// deletion of the last container removes it. Both hold the lock of the root directory.
// Whatever a killed berth left half made is not a namespace file and is made again.
//
// Nobody ends up with a mount of the file. A mount namespace that is made later leaves
// mounts of such files out of its copy, by the kernel's own rule (CL_COPY_MNT_NS_FILE,
// fs/namespace.c). A recursive bind would take it along, but not the unbindable
// directory, nor what is below that; and what is mounted on an unbindable mount
// propagates nowhere.
//
// Runs: the host process, in any goroutine.
package anteroom
