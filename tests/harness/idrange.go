package harness

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
)

// idRange is a block of subordinate ids of subuid(5).
type idRange struct{ first, size uint32 }

// idRanges are the largest blocks of the suite's user.
type idRanges struct{ uids, gids idRange }

// findRanges keeps what /etc/subuid and /etc/subgid give to the suite's user, and
// says whether both give something, and newuidmap can map it.
func (x *Test) findRanges() bool {
	me, err := user.Current()
	if err != nil || x.UID() != os.Geteuid() {
		return false
	}
	if _, err := exec.LookPath("newuidmap"); err != nil {
		return false
	}
	found := idRanges{uids: largestRange("/etc/subuid", me), gids: largestRange("/etc/subgid", me)}
	if found.uids.size == 0 || found.gids.size == 0 {
		return false
	}
	x.ranges = &found
	return true
}

func largestRange(file string, me *user.User) idRange {
	text, err := os.ReadFile(file)
	if err != nil {
		return idRange{}
	}
	var largest idRange
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || fields[0] != me.Username && fields[0] != me.Uid {
			continue
		}
		first, err1 := strconv.ParseUint(fields[1], 10, 32)
		size, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 == nil && err2 == nil && uint32(size) > largest.size {
			largest = idRange{uint32(first), uint32(size)}
		}
	}
	return largest
}
