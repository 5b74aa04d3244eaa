package accounts

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Range is a block of subordinate ids of subuid(5); Size 0: none.
type Range struct{ First, Size uint32 }

// SubordinateRange finds the first range that a file like /etc/subuid gives a user,
// by name or by number.
func SubordinateRange(file string, uid int, name string) Range {
	data, err := os.ReadFile(file)
	if err != nil {
		return Range{}
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || fields[0] == "" || fields[0] != name && fields[0] != strconv.Itoa(uid) {
			continue
		}
		first, err1 := strconv.ParseUint(fields[1], 10, 32)
		size, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 == nil && err2 == nil && size > 0 && first+size <= 1<<32-1 {
			return Range{First: uint32(first), Size: uint32(size)}
		}
	}
	return Range{}
}

// UserName is the name of a uid in /etc/passwd, "" when it has none.
func UserName(uid int) string {
	data, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	want := strconv.Itoa(uid)
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(line, ":", 4)
		if len(fields) == 4 && fields[2] == want {
			return fields[0]
		}
	}
	return ""
}

// Subordinate is the range of ids of file, /etc/subuid or /etc/subgid, that the
// caller may use: root any that is written down for it, others with the help of
// helper only, newuidmap(1) or newgidmap(1).
func Subordinate(file, helper string) Range {
	uid := os.Geteuid()
	if uid != 0 {
		if _, err := exec.LookPath(helper); err != nil {
			return Range{}
		}
	}
	return SubordinateRange(file, uid, UserName(uid))
}
