package store

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// holders names the processes that use the store, as far as the kernel tells.
func (s *Store) holders() string {
	var list []string
	for _, pid := range s.lockers() {
		name := "berth"
		if raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline"); err == nil {
			name = strings.TrimSpace(name + " " + verbIn(raw))
		}
		list = append(list, fmt.Sprintf("%s (process %d)", name, pid))
	}
	const most = 5
	switch {
	case len(list) == 0:
		return "other berth processes"
	case len(list) > most:
		return strings.Join(list[:most], ", ") + " and " + strconv.Itoa(len(list)-most) + " more"
	}
	return strings.Join(list, ", ")
}

// lockers are the other processes that hold the lock (proc_locks(5)). Those of other
// pid namespaces are not shown.
func (s *Store) lockers() []int {
	st, err := s.root.stat(useLock)
	if err != nil {
		return nil
	}
	raw, err := os.ReadFile("/proc/locks")
	if err != nil {
		return nil
	}
	var pids []int
	for line := range bytes.Lines(raw) {
		f := strings.Fields(string(line))
		// N: FLOCK ADVISORY READ PID MAJOR:MINOR:INODE START END; of who waits N: -> FLOCK …
		if len(f) < 6 || f[1] != "FLOCK" || f[5] != lockID(st) {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil && pid > 0 && pid != os.Getpid() && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func lockID(st unix.Stat_t) string {
	return fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
}

// verbIn finds what a berth does in its command line; nothing else of that is shown,
// for there may be a password in it.
func verbIn(cmdline []byte) string {
	verbs := []string{"build", "create", "export", "import", "load", "prune", "pull", "push", "rmi", "run", "save", "tag", "unpack", "verify"}
	for _, word := range strings.Split(string(cmdline), "\x00") {
		if word == "prepare" {
			return "run --image"
		}
		if slices.Contains(verbs, word) {
			return word
		}
	}
	return ""
}
