package nsenter

const (
	sysPrlimit64 = 302
	sysSetns     = 308
	sysExecveat  = 322
)
