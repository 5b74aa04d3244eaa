package host

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// rootlessFacts are what ordinary users need, for the user that asks.
func rootlessFacts() []Fact {
	const group = "rootless"
	uid := os.Geteuid()
	name := UserName(uid)
	runtimeDir := os.Getenv("XDG_RUNTIME_DIR")
	facts := []Fact{
		helperFact("newuidmap"), helperFact("newgidmap"),
		rangeFact("/etc/subuid", uid, name), rangeFact("/etc/subgid", uid, name),
	}
	if uid != 0 {
		ok := runtimeDir != "" && unix.Access(runtimeDir, unix.W_OK) == nil
		facts = append(facts, fact(group, "XDG_RUNTIME_DIR", ok, runtimeDir, "not set, or not writable: state goes where --root says"))
	}
	return facts
}

// helperFact looks for newuidmap(1) or newgidmap(1), and for the privilege without
// which they are useless.
func helperFact(name string) Fact {
	path, err := exec.LookPath(name)
	if err != nil {
		return Fact{Group: "rootless", Name: name, Reason: name + " is not in PATH (package uidmap or shadow-utils): a single id can be mapped"}
	}
	privileged := false
	if st, err := os.Stat(path); err == nil && st.Mode()&os.ModeSetuid != 0 {
		privileged = true
	}
	if n, err := unix.Getxattr(path, "security.capability", make([]byte, 64)); err == nil && n > 0 {
		privileged = true
	}
	return fact("rootless", name, privileged, path, path+" has neither the setuid bit nor file capabilities: it will be refused")
}

func rangeFact(file string, uid int, name string) Fact {
	r := SubordinateRange(file, uid, name)
	return fact("rootless", file, r.Size > 0, fmt.Sprintf("%d ids from %d on", r.Size, r.First),
		"no range for this user: a single id can be mapped (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER)")
}

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
