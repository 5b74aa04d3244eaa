package libcontainer

import (
	"fmt"
	"strconv"
	"strings"
)

// User is what `exec --user` says.
type User struct {
	UID, GID uint32
	// HasGID is false when only a uid was given.
	HasGID bool
}

// ParseUser reads UID or UID:GID. Only decimal numbers pass: a parser that turns
// something it does not understand into 0 hands out root (crun CVE-2026-30892), and
// 4294967295 is -1, which tells setresuid(2) to keep the caller's id.
func ParseUser(s string) (User, error) {
	uid, gid, hasGID := strings.Cut(s, ":")
	u := User{HasGID: hasGID}
	var err error
	if u.UID, err = ParseID(uid); err == nil && hasGID {
		u.GID, err = ParseID(gid)
	}
	if err != nil {
		return User{}, fmt.Errorf("user %q is not UID or UID:GID: %w", s, err)
	}
	return u, nil
}

// ParseID reads a uid or gid.
func ParseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%q is not a number from 0 to 4294967294", s)
	}
	return uint32(n), nil
}
