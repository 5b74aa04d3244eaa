package intelrdt

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// usual is where resctrl is mounted everywhere.
const usual = "/sys/fs/resctrl"

// ErrNotMounted reports a host without a resctrl file system: the processor has no
// RDT, or it is not mounted.
var ErrNotMounted = errors.New("no resctrl file system is mounted on this host")

// Find returns where resctrl is mounted.
func Find() (string, error) {
	if isResctrl(usual) {
		return usual, nil
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		// ID PARENT DEV ROOT POINT OPTIONS … - TYPE SOURCE …  (proc(5))
		mount, kind, ok := strings.Cut(line, " - ")
		words := strings.Fields(mount)
		if !ok || len(words) < 5 || !strings.HasPrefix(kind, "resctrl ") {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(words[4])
		if isResctrl(point) {
			return point, nil
		}
	}
	return "", ErrNotMounted
}

func isResctrl(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.RDTGROUP_SUPER_MAGIC
}
