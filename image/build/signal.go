package build

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// isSignal tells a signal by number or name, with or without SIG, RTMIN+N included.
func isSignal(s string) bool {
	if n, err := strconv.Atoi(s); err == nil {
		return n > 0 && n <= 64
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if name == "RTMIN" || name == "RTMAX" {
		return true
	}
	for _, edge := range [...]string{"RTMIN+", "RTMAX-"} {
		if rest, ok := strings.CutPrefix(name, edge); ok {
			n, err := strconv.Atoi(rest)
			return err == nil && n >= 0 && n <= 30
		}
	}
	return unix.SignalNum("SIG"+name) != 0
}
