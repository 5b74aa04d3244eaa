package accounts

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Range is a block of subordinate ids of subuid(5).
type Range struct{ First, Size uint32 }

// SubordinateRanges lists the ranges that a file like /etc/subuid gives a user, by
// name or by number, in the order of the file. A range that overlaps one before it,
// or holds the user's own id, is left out: an id is mapped once.
func SubordinateRanges(file string, uid int, name string) []Range {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return ranges(string(data), uid, name)
}

func ranges(text string, uid int, name string) []Range {
	var list []Range
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || fields[0] == "" || fields[0] != name && fields[0] != strconv.Itoa(uid) {
			continue
		}
		first, err1 := strconv.ParseUint(fields[1], 10, 32)
		size, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 != nil || err2 != nil || size == 0 || first+size > 1<<32-1 {
			continue
		}
		r := Range{First: uint32(first), Size: uint32(size)}
		taken := uid >= 0 && r.overlaps(Range{First: uint32(uid), Size: 1})
		for _, other := range list {
			taken = taken || r.overlaps(other)
		}
		if !taken {
			list = append(list, r)
		}
	}
	return list
}

func (r Range) overlaps(o Range) bool {
	return uint64(r.First) < uint64(o.First)+uint64(o.Size) && uint64(o.First) < uint64(r.First)+uint64(r.Size)
}

// UserName is the name of a uid in /etc/passwd, "" when it has none.
func UserName(uid int) string {
	data, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	return NameIn(data, uid)
}

// NameIn finds the first name:password:UID: line (passwd(5)); "": none.
func NameIn(passwd []byte, uid int) (name string) {
	want := strconv.Itoa(uid)
	EachLine(passwd, 4, func(f [][]byte) bool {
		if string(f[2]) != want {
			return true
		}
		name = string(f[0])
		return false
	})
	return name
}

// Subordinate are the ranges of ids of file, /etc/subuid or /etc/subgid, that the
// caller may use: root any that are written down for it, others with the help of
// helper only, newuidmap(1) or newgidmap(1).
func Subordinate(file, helper string) []Range {
	uid := os.Geteuid()
	if uid != 0 {
		if _, err := exec.LookPath(helper); err != nil {
			return nil
		}
	}
	return SubordinateRanges(file, uid, UserName(uid))
}
