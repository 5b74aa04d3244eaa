package tree

import (
	"fmt"
	"strconv"
	"strings"
)

// Mode changes permission bits as chmod(1) does: an octal number or a list of
// symbolic changes. The zero value changes nothing.
type Mode struct {
	set     bool
	octal   uint32
	changes []change
}

type change struct {
	who   uint32 // the rwx and special bits that the letters ugoa stand for
	op    byte
	perms string
}

// ParseMode reads the value of --chmod.
func ParseMode(s string) (Mode, error) {
	if s == "" {
		return Mode{}, nil
	}
	if strings.Trim(s, "0123456789") == "" {
		n, err := strconv.ParseUint(s, 8, 32)
		if err != nil || n > 0o7777 {
			return Mode{}, fmt.Errorf("--chmod=%s: an octal mode is between 0 and 07777", s)
		}
		return Mode{set: true, octal: uint32(n)}, nil
	}
	m := Mode{set: true}
	for _, clause := range strings.Split(s, ",") {
		list, ok := parseClause(clause)
		if !ok {
			return Mode{}, fmt.Errorf("--chmod=%s: %q is not a mode as in u=rwX,go-w or 0755", s, clause)
		}
		m.changes = append(m.changes, list...)
	}
	return m, nil
}

const (
	bitsUser  = 0o4700
	bitsGroup = 0o2070
	bitsOther = 0o1007
)

func parseClause(clause string) ([]change, bool) {
	i := strings.IndexAny(clause, "+-=")
	if i < 0 {
		return nil, false
	}
	var who uint32
	for _, c := range clause[:i] {
		switch c {
		case 'u':
			who |= bitsUser
		case 'g':
			who |= bitsGroup
		case 'o':
			who |= bitsOther
		case 'a':
			who = 0o7777
		default:
			return nil, false
		}
	}
	if i == 0 {
		who = 0o7777
	}
	var list []change
	for rest := clause[i:]; rest != ""; {
		op := rest[0]
		rest = rest[1:]
		end := strings.IndexAny(rest, "+-=")
		if end < 0 {
			end = len(rest)
		}
		perms := rest[:end]
		rest = rest[end:]
		if strings.Trim(perms, "rwxXst") != "" && strings.Trim(perms, "ugo") != "" {
			return nil, false
		}
		list = append(list, change{who: who, op: op, perms: perms})
	}
	return list, true
}

// Apply is the mode of a file after the change; only permission bits of old count.
func (m Mode) Apply(old uint32, dir bool) uint32 {
	if !m.set {
		return old & 0o7777
	}
	if m.changes == nil {
		return m.octal
	}
	mode := old & 0o7777
	for _, c := range m.changes {
		bits := c.bits(mode, dir) & c.who
		switch c.op {
		case '+':
			mode |= bits
		case '-':
			mode &^= bits
		case '=':
			// Like chmod(1): the special bits of a directory stay unless they are named.
			cleared := c.who
			if dir {
				cleared &^= 0o6000
			}
			mode = mode&^cleared | bits
		}
	}
	return mode
}

// bits are what the letters of a change stand for, for everyone.
func (c change) bits(mode uint32, dir bool) uint32 {
	var b uint32
	for _, p := range c.perms {
		switch p {
		case 'r':
			b |= 0o444
		case 'w':
			b |= 0o222
		case 'x':
			b |= 0o111
		case 'X':
			if dir || mode&0o111 != 0 {
				b |= 0o111
			}
		case 's':
			b |= 0o6000
		case 't':
			b |= 0o1000
		case 'u':
			b |= 0o111 * (mode >> 6 & 7)
		case 'g':
			b |= 0o111 * (mode >> 3 & 7)
		case 'o':
			b |= 0o111 * (mode & 7)
		}
	}
	return b
}
