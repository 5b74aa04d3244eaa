//go:build arm64 || riscv64 || loong64

package first

const sysPrlimit64 = 261
