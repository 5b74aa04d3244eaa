package tree

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"berth/internal/accounts"
)

// maxID is the largest user or group: the kernel keeps 2^32-1 for "no one", and what
// is above 2^31-1 docker refuses, too (CVE-2024-40635).
const maxID = math.MaxInt32

// LookupOwner reads USER[:GROUP] as --chown has it. Names are looked up in the files
// of the image at root; digits are ids and never names (CVE-2016-3697). Without a
// group it is that of the user's line in passwd, or the user's number, as docker does.
func (r *Root) LookupOwner(spec string) (Owner, error) {
	user, group, hasGroup := strings.Cut(spec, ":")
	var o Owner
	if user != "" {
		uid, gid, err := r.lookupUser(user)
		if err != nil {
			return o, fmt.Errorf("owner %s: %w", spec, err)
		}
		o = Owner{UID: uid, GID: gid}
	}
	if hasGroup && group != "" {
		gid, err := r.lookupGroup(group)
		if err != nil {
			return o, fmt.Errorf("owner %s: %w", spec, err)
		}
		o.GID = gid
	}
	return o, nil
}

// IsNumericOwner tells whether USER[:GROUP] needs no look-up.
func IsNumericOwner(spec string) bool {
	return strings.Trim(strings.Replace(spec, ":", "", 1), "0123456789") == ""
}

func (r *Root) lookupUser(user string) (uid, gid int, err error) {
	if id, ok, err := number(user); ok {
		return id, id, err
	}
	line, err := r.account("etc/passwd", user)
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 4 {
		return 0, 0, fmt.Errorf("/etc/passwd: the line of %s is short", user)
	}
	if uid, _, err = number(line[2]); err != nil {
		return 0, 0, err
	}
	gid, _, err = number(line[3])
	return uid, gid, err
}

func (r *Root) lookupGroup(group string) (int, error) {
	if id, ok, err := number(group); ok {
		return id, err
	}
	line, err := r.account("etc/group", group)
	if err != nil {
		return 0, err
	}
	if len(line) < 3 {
		return 0, fmt.Errorf("/etc/group: the line of %s is short", group)
	}
	id, _, err := number(line[2])
	return id, err
}

// number reads an id. ok: s is made of digits, so it can be nothing else.
func number(s string) (id int, ok bool, err error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false, fmt.Errorf("%q is not a number", s)
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > maxID {
		return 0, true, fmt.Errorf("the id %s is above %d", s, maxID)
	}
	return int(n), true, nil
}

// account finds the line of a name in passwd or group.
func (r *Root) account(file, name string) ([]string, error) {
	var found []string
	err := r.eachAccount(file, func(fields []string) bool {
		if fields[0] == name {
			found = fields
		}
		return found == nil
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no /%s in the image to look up %q in", file, name)
	}
	if err == nil && found == nil {
		err = fmt.Errorf("/%s: no %q", file, name)
	}
	return found, err
}

// eachAccount calls f with the fields of each line until it answers false.
func (r *Root) eachAccount(file string, f func(fields []string) bool) error {
	in, err := r.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	text, err := accounts.Read(in, file)
	if err != nil {
		return err
	}
	accounts.EachLine(text, 1, func(line [][]byte) bool {
		fields := make([]string, len(line))
		for i, field := range line {
			fields[i] = string(field)
		}
		// A file may have come from an editor that ends lines in another way.
		last := len(fields) - 1
		fields[0], fields[last] = strings.TrimLeft(fields[0], " \t"), strings.TrimRight(fields[last], " \t\r")
		return f(fields)
	})
	return nil
}

// User is a user of an image as a process has it.
type User struct {
	Owner
	// Groups are the supplementary groups; the primary one is among them
	// (CVE-2022-36109).
	Groups []uint32
	// Home is empty when passwd does not tell.
	Home string
}

// LookupUser reads USER[:GROUP] as the USER instruction has it; empty is root. With a
// group named there are no others, as with docker.
func (r *Root) LookupUser(spec string) (User, error) {
	if spec == "" {
		spec = "0"
	}
	name, _, hasGroup := strings.Cut(spec, ":")
	id, isNumber, err := number(name)
	if isNumber && err != nil {
		return User{}, fmt.Errorf("user %s: %w", spec, err)
	}
	u := User{}
	var line []string
	if isNumber {
		u.UID = id
		line = r.accountByID(id)
	} else if line, err = r.account("etc/passwd", name); err != nil {
		return User{}, fmt.Errorf("user %s: %w", spec, err)
	} else if len(line) < 4 {
		return User{}, fmt.Errorf("user %s: /etc/passwd: its line is short", spec) // and it is not root
	}
	if len(line) >= 4 {
		if u.UID, _, err = number(line[2]); err == nil {
			u.GID, _, err = number(line[3])
		}
		if err != nil {
			return User{}, fmt.Errorf("user %s: %w", spec, err)
		}
	}
	if len(line) >= 6 {
		u.Home = line[5]
	}
	if hasGroup {
		o, err := r.LookupOwner(spec)
		if err != nil {
			return User{}, err
		}
		u.GID = o.GID
	} else if len(line) > 0 {
		if u.Groups, err = r.groupsOf(line[0]); err != nil {
			return User{}, fmt.Errorf("user %s: %w", spec, err)
		}
	}
	u.Groups = append([]uint32{uint32(u.GID)}, u.Groups...)
	return u, nil
}

// accountByID finds the line of a number in passwd; nil without one.
func (r *Root) accountByID(id int) []string {
	want := strconv.Itoa(id)
	var found []string
	_ = r.eachAccount("etc/passwd", func(fields []string) bool { // no passwd, no line
		if len(fields) > 3 && fields[2] == want {
			found = fields
		}
		return found == nil
	})
	return found
}

// groupsOf are the groups that list a user as a member.
func (r *Root) groupsOf(name string) ([]uint32, error) {
	in, err := r.Open("etc/group")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer in.Close() // opened for reading
	text, err := accounts.Read(in, "etc/group")
	if err != nil {
		return nil, err
	}
	return accounts.GroupsOf(text, name), nil
}
