package cli

import "berth/internal/command"

// choices are the values that a flag may have, where they are few: its text says
// "`FORMAT` of the output: table or json".
func choices(o command.Option) []string {
	switch o.Long() {
	case "format":
		return []string{"table", "json"}
	case "log-format":
		return []string{"text", "json"}
	case "log-level":
		return []string{"error", "warning", "debug"}
	case "cgroup-manager":
		return []string{"cgroupfs", "systemd", "disabled"}
	case "rootless":
		return []string{"true", "false", "auto"}
	case "net":
		return []string{"host", "none"}
	case "seccomp":
		return []string{"default", "none"}
	case "userns":
		return []string{"auto"}
	}
	return nil
}

// files tells what the value of a flag names: "dir", "file" or nothing.
func files(o command.Option) string {
	switch o.Value {
	case "DIR":
		return "dir"
	case "FILE", "PATH":
		return "file"
	}
	return ""
}
