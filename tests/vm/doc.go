// Command vm runs the integration tests where most hosts cannot: in test machines with
// cgroup v2 alone, systemd, AppArmor and a login user, with both cgroup drivers; and
// tests of images and builds on the machine's older kernel.
//
//	vm [-runtime PATH] [-kernel 6.1|6.12] [-run REGEXP] [-v] [BOOT|MODE...]
//	vm -image
//
// The machines are qemu's, in software emulation, so nothing is asked of the host but
// time: what forks and mounts is about 50 times slower in there. Each has one
// processor; two run side by side.
//
//	image/      the recipe of the disk and the kernels; built once, kept in the cache
//	guest/      what runs in the machine
//	tests.txt   which tests
//
// A machine has no network. Its root disk is a throw-away copy, the second disk brings
// the runtime, static test binaries and the guest's scripts, a virtio port takes the
// output out.
package main
