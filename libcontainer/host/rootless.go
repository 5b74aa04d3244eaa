package host

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"berth/internal/accounts"

	"golang.org/x/sys/unix"
)

// rootlessFacts are what ordinary users need, for the user that asks.
func rootlessFacts() []Fact {
	const group = "rootless"
	uid := os.Geteuid()
	name := accounts.UserName(uid)
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
	var text []string
	for _, r := range accounts.SubordinateRanges(file, uid, name) {
		text = append(text, fmt.Sprintf("%d ids from %d on", r.Size, r.First))
	}
	return fact("rootless", file, len(text) > 0, strings.Join(text, ", "),
		"no range for this user: a single id can be mapped (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER)")
}
