package idmap

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"berth/internal/readfile"
)

// Read reads a map as procfs shows it: /proc/self/uid_map.
func Read(file string) ([]Map, error) {
	text, err := readfile.Kernel(file)
	if err != nil {
		return nil, err
	}
	var maps []Map
	for line := range strings.Lines(string(text)) {
		m, ok := parse(line)
		if !ok {
			return nil, fmt.Errorf("%s: %q is not a map", file, line)
		}
		maps = append(maps, m)
	}
	return maps, nil
}

func parse(line string) (m Map, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return m, false
	}
	for i, to := range []*uint32{&m.Container, &m.Host, &m.Size} {
		n, err := strconv.ParseUint(fields[i], 10, 32)
		if err != nil {
			return m, false
		}
		*to = uint32(n)
	}
	return m, true
}

// Inside tells whether this process is in a user namespace other than the host's,
// which maps all ids to themselves (user_namespaces(7)).
func Inside() bool {
	inside.once.Do(func() {
		maps, err := Read("/proc/self/uid_map") // not there: a kernel without user namespaces
		inside.is = err == nil && (len(maps) != 1 || maps[0] != Map{Size: math.MaxUint32})
	})
	return inside.is
}

// inside remembers: a process with several threads cannot change its user namespace.
var inside struct {
	once sync.Once
	is   bool
}

// SetgroupsDenied tells whether the user namespace of a process, given as its
// directory in procfs, has given up setgroups(2): its maker had to, to map a single
// gid, and what a namespace has given up, those made in it do not have either.
func SetgroupsDenied(process string) bool {
	text, err := readfile.Kernel(process + "/setgroups")
	return err == nil && strings.HasPrefix(string(text), "deny")
}
