//go:build arm64 || riscv64 || loong64

package linux

// System call numbers of the architectures that use the kernel's generic table
// (include/uapi/asm-generic/unistd.h) and that package syscall does not name.
const (
	sysFstatat      = 79
	sysSymlinkat    = 36
	sysReadlinkat   = 78
	sysFaccessat    = 48
	sysPrlimit64    = 261
	sysSetns        = 268
	sysSchedSetattr = 274
	sysSeccomp      = 277
	sysMemfdCreate  = 279
	sysExecveat     = 281
	sysIoprioSet    = 30
	sysKeyctl       = 219
	sysSetMempolicy = 237
	sysPersonality  = 92
	sysPpoll        = 73
	sysStatx        = 291
)
