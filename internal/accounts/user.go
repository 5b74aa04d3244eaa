package accounts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"berth/internal/safepath"

	"golang.org/x/sys/unix"
)

// User is what `exec --user` says: ids, or names of the container's files.
type User struct {
	// Name and Group are set where no number was given.
	Name, Group string
	UID, GID    uint32
	// HasGID is false when only a user was given.
	HasGID bool
}

// ParseUser reads USER or USER:GROUP, each a number or a name. What consists of
// digits is an id and never a name (CVE-2016-3697), and what looks like a number is
// no name: a parser that turns something it does not understand into 0 hands out
// root (crun CVE-2026-30892), and 4294967295 is -1, which tells setresuid(2) to keep
// the caller's id.
func ParseUser(s string) (User, error) {
	user, group, hasGID := strings.Cut(s, ":")
	u := User{HasGID: hasGID}
	var err error
	if u.UID, u.Name, err = parseOwner(user); err == nil && hasGID {
		u.GID, u.Group, err = parseOwner(group)
	}
	if err != nil {
		return User{}, fmt.Errorf("user %q is not USER or USER:GROUP: %w", s, err)
	}
	return u, nil
}

// parseOwner reads an id or a name.
func parseOwner(s string) (id uint32, name string, err error) {
	if s == "" {
		return 0, "", errors.New("it is empty")
	}
	if isNumber(s) {
		id, err = ParseID(s)
		return id, "", err
	}
	if !isName(s) {
		return 0, "", fmt.Errorf("%q is neither an id nor a name", s)
	}
	return 0, s, nil
}

// isName accepts what useradd(8) does, and capitals.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.' || c == '@' || c == '$'):
		default:
			return false
		}
	}
	return len(s) <= maxName
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// ParseID reads a uid or gid.
func ParseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%q is not a number from 0 to 4294967294", s)
	}
	return uint32(n), nil
}

const (
	maxName     = 256
	maxAccounts = 1 << 20 // bytes of passwd or group
	maxLine     = 64 << 10
)

// Files gives the contents of passwd and group of one root file system, by these
// names; os.ErrNotExist for one that is not there.
type Files func(name string) ([]byte, error)

// In are the files below /etc of the root directory root, an fd that stays the
// caller's. What others have made of them does not matter: they are opened below
// root, and have to be regular files of at most a mebibyte (CVE-2026-47262).
func In(root int) Files {
	return func(name string) ([]byte, error) {
		name = "etc/" + name
		fd, err := safepath.OpenRegular(root, name)
		if err != nil {
			return nil, fmt.Errorf("open the container's /%s: %w", name, err)
		}
		f := os.NewFile(uintptr(fd), name)
		defer f.Close() // it was only read
		return Read(f, name)
	}
}

// Read reads an opened passwd or group; name is the path in errors.
func Read(f *os.File, name string) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("the container's /%s is not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxAccounts+1))
	if err != nil {
		return nil, fmt.Errorf("read the container's /%s: %w", name, err)
	}
	if len(data) > maxAccounts {
		return nil, fmt.Errorf("the container's /%s is larger than 1 MiB", name)
	}
	return data, nil
}

// Resolve looks the names of u up. A user given by name brings its group, and the
// groups that list it, unless a group was given.
func (u User) Resolve(files Files) (User, []uint32, error) {
	if u.Name == "" && u.Group == "" {
		return u, nil, nil
	}
	givenGroup := u.HasGID
	u.HasGID = true
	if u.Name != "" {
		passwd, err := files("passwd")
		if err != nil {
			return u, nil, err
		}
		gid := u.GID
		var ok bool
		if u.UID, u.GID, ok = findUser(passwd, u.Name); !ok {
			return u, nil, fmt.Errorf("no user %q in the container's /etc/passwd", u.Name)
		}
		if givenGroup {
			u.GID = gid
		}
	}
	if u.Group == "" && givenGroup {
		return u, nil, nil
	}
	group, err := files("group")
	switch {
	case u.Group == "" && errors.Is(err, os.ErrNotExist):
		return u, nil, nil // no file, no further groups
	case err != nil:
		return u, nil, err
	case u.Group == "":
		return u, GroupsOf(group, u.Name), nil
	}
	var ok bool
	if u.GID, ok = findGroup(group, u.Group); !ok {
		return u, nil, fmt.Errorf("no group %q in the container's /etc/group", u.Group)
	}
	return u, nil, nil
}

// Account is a line of passwd.
type Account struct {
	Name     string
	UID, GID uint32
}

// Lookup finds the first account with a uid, and the groups that list its name: what
// a login would give a user whose number alone is known. ok is false when passwd has
// no such line, or is not there.
func Lookup(files Files, uid uint32) (a Account, groups []uint32, ok bool, err error) {
	passwd, err := files("passwd")
	if errors.Is(err, os.ErrNotExist) {
		return Account{}, nil, false, nil
	}
	if err != nil {
		return Account{}, nil, false, err
	}
	EachLine(passwd, 4, func(f [][]byte) bool {
		id, err1 := ParseID(string(f[2]))
		gid, err2 := ParseID(string(f[3]))
		ok = err1 == nil && err2 == nil && id == uid
		a = Account{Name: string(f[0]), UID: id, GID: gid}
		return !ok
	})
	if !ok {
		return Account{}, nil, false, nil
	}
	group, err := files("group")
	if errors.Is(err, os.ErrNotExist) {
		return a, nil, true, nil
	}
	if err != nil {
		return a, nil, true, err
	}
	return a, GroupsOf(group, a.Name), true, nil
}

// EachLine calls do with the fields of every line of n fields or more, until it
// returns false; text is a passwd(5) or group(5). Lines that are longer than any that
// is meant are left out.
func EachLine(text []byte, n int, do func(fields [][]byte) bool) {
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		if len(line) > maxLine {
			continue
		}
		if fields := bytes.Split(line, []byte(":")); len(fields) >= n && !do(fields) {
			return
		}
	}
}

// findUser finds name:password:UID:GID:… (passwd(5)).
func findUser(passwd []byte, name string) (uid, gid uint32, ok bool) {
	EachLine(passwd, 4, func(f [][]byte) bool {
		if string(f[0]) != name {
			return true
		}
		var err1, err2 error
		uid, err1 = ParseID(string(f[2]))
		gid, err2 = ParseID(string(f[3]))
		ok = err1 == nil && err2 == nil
		return false
	})
	return uid, gid, ok
}

// findGroup finds name:password:GID:members (group(5)).
func findGroup(group []byte, name string) (gid uint32, ok bool) {
	EachLine(group, 3, func(f [][]byte) bool {
		if string(f[0]) != name {
			return true
		}
		var err error
		gid, err = ParseID(string(f[2]))
		ok = err == nil
		return false
	})
	return gid, ok
}

// maxGroups is NGROUPS_MAX of the kernel.
const maxGroups = 65536

// GroupsOf lists the groups of a group(5) that have the user among their members, as
// many as a process can have at most.
func GroupsOf(group []byte, user string) []uint32 {
	var gids []uint32
	EachLine(group, 4, func(f [][]byte) bool {
		for _, member := range bytes.Split(f[3], []byte(",")) {
			if string(member) != user {
				continue
			}
			if gid, err := ParseID(string(f[2])); err == nil {
				gids = append(gids, gid)
			}
			break
		}
		return len(gids) < maxGroups
	})
	return gids
}
