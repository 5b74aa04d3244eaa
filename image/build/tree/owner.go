package tree

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// maxAccounts bounds /etc/passwd and /etc/group of an image, in bytes
// (CVE-2026-47262).
const maxAccounts = 4 << 20

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
	f, err := r.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no %s in the image to look up %q in", "/"+file, name)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxAccounts {
		return nil, fmt.Errorf("/%s: it is not a file of at most %d bytes", file, maxAccounts)
	}
	lines := bufio.NewScanner(io.LimitReader(f, maxAccounts))
	lines.Buffer(nil, maxAccounts)
	for lines.Scan() {
		fields := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if fields[0] == name {
			return fields, nil
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read /%s: %w", file, err)
	}
	return nil, fmt.Errorf("/%s: no %q", file, name)
}
