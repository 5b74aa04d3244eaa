package idmap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Map is one line of uid_map or gid_map.
type Map struct {
	Container, Host, Size uint32
}

// MaxMaps is how many lines a map can have, UID_GID_MAP_MAX_EXTENTS of the kernel
// since v4.15.
const MaxMaps = 340

// Write sets the uid and gid maps of the user namespace process pid has just
// created (user_namespaces(7)): directly where the kernel allows it, else through
// newuidmap(1) and newgidmap(1).
func Write(pid int, uids, gids []Map) error {
	if !NeedsHelper(uids, os.Geteuid()) && !NeedsHelper(gids, os.Getegid()) {
		if os.Geteuid() != 0 {
			// Without privileges the gid map is accepted only once setgroups(2) is
			// given up (CVE-2014-8989).
			if err := writeProc(pid, "setgroups", "deny"); err != nil {
				return err
			}
		}
		if err := writeProc(pid, "uid_map", mapText(uids)); err != nil {
			return err
		}
		return writeProc(pid, "gid_map", mapText(gids))
	}
	if err := runHelper("newuidmap", pid, uids); err != nil {
		return err
	}
	return runHelper("newgidmap", pid, gids)
}

// NeedsHelper tells whether the caller, whose own uid or gid id is, cannot write a map
// itself: without privileges it may map that and nothing else.
func NeedsHelper(m []Map, id int) bool {
	return os.Geteuid() != 0 && (len(m) != 1 || m[0].Size != 1 || int(m[0].Host) != id)
}

// Host translates an id of the user namespace; ok is false when it has none outside.
func Host(maps []Map, id uint32) (host uint32, ok bool) {
	for _, m := range maps {
		if id >= m.Container && id-m.Container < m.Size {
			return m.Host + (id - m.Container), true
		}
	}
	return 0, false
}

func mapText(m []Map) string {
	var b []byte
	for _, e := range m {
		b = fmt.Appendf(b, "%d %d %d\n", e.Container, e.Host, e.Size)
	}
	return string(b)
}

func writeProc(pid int, name, text string) error {
	f, err := os.OpenFile("/proc/"+strconv.Itoa(pid)+"/"+name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("write %q to %s: %w", text, name, errors.Unwrap(err))
	}
	return nil
}

// ErrNoHelper reports that newuidmap(1) or newgidmap(1) is not in PATH.
var ErrNoHelper = errors.New("not in PATH")

func runHelper(name string, pid int, m []Map) error {
	path, err := exec.LookPath(name)
	if err != nil {
		return fmt.Errorf("%s is needed to map more than one id without privileges: %w", name, ErrNoHelper)
	}
	args := []string{strconv.Itoa(pid)}
	for _, e := range m {
		for _, n := range []uint32{e.Container, e.Host, e.Size} {
			args = append(args, strconv.FormatUint(uint64(n), 10))
		}
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	// "newuidmap: uid range [1-11) -> [100000-100010) not allowed" says all.
	said, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if said, ok := strings.CutPrefix(said, name+": "); ok {
		return fmt.Errorf("%s: %s", name, said)
	}
	return fmt.Errorf("%s: %w: %s", name, err, said)
}
