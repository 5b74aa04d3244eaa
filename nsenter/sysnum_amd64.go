package nsenter

const (
	sysSetns    = 308
	sysExecveat = 322
)
