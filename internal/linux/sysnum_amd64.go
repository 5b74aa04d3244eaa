package linux

// System call numbers of x86_64 that package syscall does not name.
const (
	sysFstatat      = 262
	sysSymlinkat    = 266
	sysReadlinkat   = 267
	sysFaccessat    = 269
	sysPrlimit64    = 302
	sysSetns        = 308
	sysSchedSetattr = 314
	sysSeccomp      = 317
	sysMemfdCreate  = 319
	sysExecveat     = 322
	sysIoprioSet    = 251
	sysKeyctl       = 250
	sysSetMempolicy = 238
	sysPersonality  = 135
	sysPpoll        = 271
	sysStatx        = 332
)
