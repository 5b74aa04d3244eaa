package seccomp

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// CheckNames refuses a profile that names system calls this libseccomp does not
// know; otherwise they are left to the default action, and noted.
func CheckNames(raw json.RawMessage) error {
	var profile specs.LinuxSeccomp
	if err := json.Unmarshal(raw, &profile); err != nil {
		return fmt.Errorf("linux.seccomp: %w", err)
	}
	for i, call := range profile.Syscalls {
		var unknown []string
		for _, name := range call.Names {
			if !knownSyscall(name) {
				unknown = append(unknown, name)
			}
		}
		if len(unknown) > 0 {
			return fmt.Errorf("linux.seccomp.syscalls[%d].names: unknown to libseccomp %s: %s", i, libraryVersion(), strings.Join(unknown, " "))
		}
	}
	return nil
}
