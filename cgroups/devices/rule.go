package devices

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Access bits, with the values of BPF_DEVCG_ACC_*.
const (
	Mknod = 1 << iota
	Read
	Write
	all = Mknod | Read | Write
)

// Any stands for every major or minor number.
const Any = -1

// Rule allows or denies access to the devices it matches.
type Rule struct {
	// Type is 'a' (both kinds), 'b' or 'c'.
	Type byte
	// Major and Minor are numbers or Any.
	Major, Minor int64
	Access       uint8
	Allow        bool
}

// Of returns the rules that resources ask for; nil asks for the default ones.
func Of(r *specs.LinuxResources) ([]Rule, error) {
	if r == nil {
		return Rules(nil)
	}
	return Rules(r.Devices)
}

// everything says that r matches every access to every device.
func (r Rule) everything() bool {
	return r.Type == 'a' && r.Major == Any && r.Minor == Any && r.Access == all
}

// same says that a and b name the same set of devices.
func (r Rule) same(o Rule) bool {
	return r.Type == o.Type && r.Major == o.Major && r.Minor == o.Minor
}

// overlaps says that some access to some device matches both.
func (r Rule) overlaps(o Rule) bool {
	return (r.Type == o.Type || r.Type == 'a' || o.Type == 'a') &&
		(r.Major == o.Major || r.Major == Any || o.Major == Any) &&
		(r.Minor == o.Minor || r.Minor == Any || o.Minor == Any) &&
		r.Access&o.Access != 0
}

// covers says that every device of o is one of r.
func (r Rule) covers(o Rule) bool {
	return (r.Type == o.Type || r.Type == 'a') &&
		(r.Major == o.Major || r.Major == Any) &&
		(r.Minor == o.Minor || r.Minor == Any)
}

// String is the kernel's own form: "c 1:3 rwm".
func (r Rule) String() string {
	return string(r.Type) + " " + number(r.Major) + ":" + number(r.Minor) + " " + Letters(r.Access)
}

func number(n int64) string {
	if n == Any {
		return "*"
	}
	return strconv.FormatInt(n, 10)
}

// Letters writes access bits as the kernel does: "rwm".
func Letters(access uint8) string {
	s := ""
	if access&Read != 0 {
		s += "r"
	}
	if access&Write != 0 {
		s += "w"
	}
	if access&Mknod != 0 {
		s += "m"
	}
	return s
}

// parse checks one rule of config.json.
func parse(i int, d *specs.LinuxDeviceCgroup) (Rule, error) {
	fail := func(field string, v any, want string) (Rule, error) {
		return Rule{}, fmt.Errorf("linux.resources.devices[%d].%s: %v is not %s", i, field, v, want)
	}
	r := Rule{Type: 'a', Major: Any, Minor: Any, Allow: d.Allow}
	switch d.Type {
	case "", "a":
	case "b", "c":
		r.Type = d.Type[0]
	case "u":
		r.Type = 'c'
	default:
		return fail("type", strconv.Quote(d.Type), "one of a, b, c")
	}
	if d.Major != nil {
		r.Major = *d.Major
	}
	if d.Minor != nil {
		r.Minor = *d.Minor
	}
	// The kernel parses both as u32; a larger number would be cut to another device.
	if r.Major < Any || r.Major > 1<<32-1 {
		return fail("major", r.Major, "a device number")
	}
	if r.Minor < Any || r.Minor > 1<<32-1 {
		return fail("minor", r.Minor, "a device number")
	}
	var ok bool
	if r.Access, ok = accessOf(d.Access); !ok || r.Access == 0 {
		return fail("access", strconv.Quote(d.Access), "made of r, w and m")
	}
	return r, nil
}

// accessOf is the opposite of Letters; ok is false when there are other letters, too.
func accessOf(letters string) (access uint8, ok bool) {
	for _, c := range letters {
		switch c {
		case 'r':
			access |= Read
		case 'w':
			access |= Write
		case 'm':
			access |= Mknod
		default:
			return access, false
		}
	}
	return access, true
}

// Rules returns the rules of config.json in their order, and behind them the devices
// every container may use. The last match wins; what nothing matches is denied. A
// node in linux.devices allows nothing by itself.
func Rules(config []specs.LinuxDeviceCgroup) ([]Rule, error) {
	rules := make([]Rule, 0, len(config)+len(defaults))
	allow := false // what the rules say of a device none of them names
	for i := range config {
		r, err := parse(i, &config[i])
		if err != nil {
			return nil, err
		}
		if r.everything() {
			rules, allow = rules[:0], r.Allow
		}
		rules = append(rules, r)
	}
	if allow {
		// Nothing needs to be added to "everything but …", and the holes are wanted.
		return rules, nil
	}
	return append(rules, defaults[:]...), nil
}

// defaults are what runc allows every container: mknod of anything, which is
// harmless without read and write, and the nodes it puts into /dev.
var defaults = [...]Rule{
	{'c', Any, Any, Mknod, true},
	{'b', Any, Any, Mknod, true},
	{'c', 1, 3, all, true},     // null
	{'c', 1, 5, all, true},     // zero
	{'c', 1, 7, all, true},     // full
	{'c', 1, 8, all, true},     // random
	{'c', 1, 9, all, true},     // urandom
	{'c', 5, 0, all, true},     // tty
	{'c', 5, 2, all, true},     // ptmx
	{'c', 136, Any, all, true}, // pts
	{'c', 10, 200, all, true},  // net/tun
}
