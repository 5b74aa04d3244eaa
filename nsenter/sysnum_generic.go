//go:build arm64 || riscv64 || loong64

package nsenter

const (
	sysSetns    = 268
	sysExecveat = 281
)
