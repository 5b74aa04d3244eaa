// Package overlay mounts layers on top of each other for the image program itself:
// what a build writes to and reads from, what export reads. The mounts are attached
// nowhere, and end with their descriptor. (The overlay of a container is mounted by
// the init stage, in libcontainer/rootfs.)
//
// It takes mount(2), as the kernels from v5.10 on have it: fsconfig(2) of those before
// v6.8 cannot be told of more than a few layers.
//
// Runs: in the image program, in a mount namespace of its own.
package overlay
