//go:build arm64 || riscv64 || loong64

package nsenter

const (
	sysPrlimit64 = 261
	sysSetns     = 268
	sysExecveat  = 281
)
