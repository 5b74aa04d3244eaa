package devices

import (
	"fmt"
	"strconv"
	"strings"
)

// Line is one write to devices.allow or devices.deny.
type Line struct {
	Allow bool
	Text  string
}

// State is what a v1 devices cgroup holds: a default and the exceptions from it.
type State struct {
	// Allow is the default.
	Allow bool
	// Except are in the order the kernel lists them; their Allow is meaningless.
	Except []Rule
}

// Resolve returns the state the rules end in, and the writes that bring a cgroup there
// from any other, in their order. An error names the rule v1 cannot express.
func Resolve(rules []Rule) (State, []Line, error) {
	lines := []Line{{false, "a"}}
	var s State
	for _, r := range rules {
		if r.everything() {
			// Whatever was said before is void.
			s = State{Allow: r.Allow}
			lines = append(lines[:0], Line{r.Allow, "a"})
			continue
		}
		for _, kind := range kinds(r.Type) {
			r.Type = kind
			more, err := s.apply(r)
			if err != nil {
				return State{}, nil, err
			}
			lines = append(lines, more...)
		}
	}
	return s, lines, nil
}

// kinds splits 'a': to the kernel "a 1:3 r" is the same as "a", whatever follows.
func kinds(t byte) []byte {
	if t == 'a' {
		return []byte{'b', 'c'}
	}
	return []byte{t}
}

// apply lays r, which is not of type 'a', over the state and returns the writes.
func (s *State) apply(r Rule) ([]Line, error) {
	if r.Allow != s.Allow {
		return s.except(r), nil
	}
	return s.unexcept(r)
}

// except adds an exception; the kernel merges the access of equal ones.
func (s *State) except(r Rule) []Line {
	for i := range s.Except {
		if !s.Except[i].same(r) {
			continue
		}
		if s.Except[i].Access&r.Access == r.Access {
			return nil
		}
		s.Except[i].Access |= r.Access
		return []Line{{r.Allow, r.String()}}
	}
	s.Except = append(s.Except, r)
	return []Line{{r.Allow, r.String()}}
}

// unexcept takes the devices of r out of the exceptions. The kernel removes equal
// entries only, so each entry that r covers is named.
func (s *State) unexcept(r Rule) ([]Line, error) {
	var lines []Line
	kept := s.Except[:0]
	for _, e := range s.Except {
		if !r.overlaps(e) {
			kept = append(kept, e)
			continue
		}
		if !r.covers(e) {
			return nil, fmt.Errorf("device rule %s %q cuts a hole into the rule %q: cgroup v1 cannot express this",
				verb(r.Allow), r, e)
		}
		cut := e
		cut.Access &= r.Access
		lines = append(lines, Line{r.Allow, cut.String()})
		if e.Access &^= r.Access; e.Access != 0 {
			kept = append(kept, e)
		}
	}
	s.Except = kept
	return lines, nil
}

func verb(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}

// ParseList reads devices.list. A cgroup that allows by default lists nothing but
// "a *:* rwm", and its exceptions stay unknown: known is false then.
func ParseList(text string) (s State, known bool, err error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		r, err := parseLine(line)
		if err != nil {
			return State{}, false, err
		}
		if r.Type == 'a' {
			return State{Allow: true}, false, nil
		}
		s.Except = append(s.Except, r)
	}
	return s, true, nil
}

func parseLine(line string) (Rule, error) {
	var kind, numbers, access string
	if n, _ := fmt.Sscan(line, &kind, &numbers, &access); n != 3 || kind != "a" && kind != "b" && kind != "c" {
		return Rule{}, fmt.Errorf("devices.list: %q is not a device rule", line)
	}
	r := Rule{Type: kind[0], Major: Any, Minor: Any}
	major, minor, _ := strings.Cut(numbers, ":")
	for _, f := range []struct {
		text string
		to   *int64
	}{{major, &r.Major}, {minor, &r.Minor}} {
		if f.text == "*" {
			continue
		}
		n, err := strconv.ParseUint(f.text, 10, 32)
		if err != nil {
			return Rule{}, fmt.Errorf("devices.list: %q is not a device rule", line)
		}
		*f.to = int64(n)
	}
	r.Access, _ = accessOf(access)
	return r, nil
}

// Change returns the writes from one state to another of the same default, which
// never take away what both allow.
func Change(from, to State) []Line {
	var lines []Line
	find := func(list []Rule, r Rule) uint8 {
		for _, e := range list {
			if e.same(r) {
				return e.Access
			}
		}
		return 0
	}
	for _, r := range to.Except {
		if have := find(from.Except, r); have&r.Access != r.Access {
			lines = append(lines, Line{!to.Allow, r.String()})
		}
	}
	for _, r := range from.Except {
		if r.Access &^= find(to.Except, r); r.Access != 0 {
			lines = append(lines, Line{to.Allow, r.String()})
		}
	}
	return lines
}
