package devices

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func spec(allow bool, kind string, major, minor int64, access string) specs.LinuxDeviceCgroup {
	return specs.LinuxDeviceCgroup{Allow: allow, Type: kind, Major: &major, Minor: &minor, Access: access}
}

func TestRulesRefused(t *testing.T) {
	for _, c := range []struct {
		rule specs.LinuxDeviceCgroup
		want string
	}{
		{spec(true, "x", 1, 1, "r"), "devices[0].type"},
		{spec(true, "p", 1, 1, "r"), "devices[0].type"},
		{spec(true, "c", -2, 1, "r"), "devices[0].major"},
		{spec(true, "c", 1<<32, 1, "r"), "devices[0].major"},
		{spec(true, "c", 1, -2, "r"), "devices[0].minor"},
		{spec(true, "c", 1, 1, "rx"), "devices[0].access"},
		{spec(true, "c", 1, 1, ""), "devices[0].access"},
		{spec(true, "c", 1, 1, "r\nb"), "devices[0].access"},
	} {
		_, err := Rules([]specs.LinuxDeviceCgroup{c.rule})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.rule, err)
		}
	}
}

// Whoever allows everything has said what the holes are: no default fills them.
func TestRulesAllowAll(t *testing.T) {
	rules, err := Rules([]specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}, spec(false, "c", 10, 200, "rwm")})
	if err != nil {
		t.Fatal(err)
	}
	if allowed(rules, 'c', 10, 200, Read) || !allowed(rules, 'c', 10, 201, all) {
		t.Errorf("%v", rules)
	}
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []specs.LinuxDeviceCgroup
		want  string // without the lines of the defaults
		err   string
	}{
		{"order", []specs.LinuxDeviceCgroup{{Access: "rwm"}, spec(true, "c", 10, 229, "rw"), spec(true, "b", 8, -1, "r")},
			"-a +c 10:229 rw +b 8:* r", ""},
		{"partial wildcard is both kinds", []specs.LinuxDeviceCgroup{{Allow: true, Access: "r"}}, "-a +b *:* r +c *:* r", ""},
		{"reset", []specs.LinuxDeviceCgroup{spec(true, "c", 1, 1, "r"), {Access: "rwm"}}, "-a", ""},
		{"merged", []specs.LinuxDeviceCgroup{spec(true, "c", 7, 1, "r"), spec(true, "c", 7, 1, "w"), spec(true, "c", 7, 1, "rw")},
			"-a +c 7:1 r +c 7:1 w", ""},
		{"taken back", []specs.LinuxDeviceCgroup{spec(true, "c", 7, 1, "rw"), spec(false, "c", 7, -1, "w")},
			"-a +c 7:1 rw -c 7:1 w", ""},
		{"hole", []specs.LinuxDeviceCgroup{spec(true, "c", 7, -1, "rw"), spec(false, "c", 7, 1, "w")}, "", "cuts a hole"},
		{"no overlap, no hole", []specs.LinuxDeviceCgroup{spec(true, "c", 7, -1, "r"), spec(false, "c", 7, 1, "w")}, "-a +c 7:* r", ""},
		{"all but", []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}, spec(false, "c", 1, 1, "rwm")}, "+a -c 1:1 rwm", ""},
	} {
		rules, err := Rules(c.rules)
		if err != nil {
			t.Fatal(err)
		}
		_, lines, err := Resolve(rules)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := text(lines); !strings.HasPrefix(got+" ", c.want+" ") {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func text(lines []Line) string {
	var b []string
	for _, l := range lines {
		sign := "-"
		if l.Allow {
			sign = "+"
		}
		b = append(b, sign+l.Text)
	}
	return strings.Join(b, " ")
}

// Change brings one state to another, and never takes away what both allow.
func TestChange(t *testing.T) {
	from, known, err := ParseList("c 1:3 rwm\nc *:* m\nb 8:1 rw\n")
	if err != nil || !known {
		t.Fatal(known, err)
	}
	to, _, err := ParseList("c 1:3 rwm\nb 8:1 r\nc 9:9 w")
	if err != nil {
		t.Fatal(err)
	}
	if got := text(Change(from, to)); got != "+c 9:9 w -c *:* m -b 8:1 w" {
		t.Error(got)
	}
	if _, known, err := ParseList("a *:* rwm"); known || err != nil {
		t.Error(known, err)
	}
	if _, _, err := ParseList("nonsense"); err == nil {
		t.Error("accepted")
	}
}

// allowed says what the rules mean: for each wanted bit the last match decides.
func allowed(rules []Rule, kind byte, major, minor int64, access uint8) bool {
	want := Rule{Type: kind, Major: major, Minor: minor}
	for bit := uint8(1); bit <= Write; bit <<= 1 {
		if access&bit == 0 {
			continue
		}
		ok := false
		for _, r := range rules {
			if r.covers(want) && r.Access&bit != 0 {
				ok = r.Allow
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

func randomRules(rnd *rand.Rand) []Rule {
	rules := make([]Rule, rnd.IntN(8))
	for i := range rules {
		rules[i] = Rule{
			Type: "abc"[rnd.IntN(3)], Major: int64(rnd.IntN(4) - 1), Minor: int64(rnd.IntN(4) - 1),
			Access: uint8(1 + rnd.IntN(7)), Allow: rnd.IntN(2) == 0,
		}
		if rnd.IntN(6) == 0 {
			rules[i] = Rule{Type: 'a', Major: Any, Minor: Any, Access: all, Allow: rules[i].Allow}
		}
	}
	return rules
}

// The program and the v1 state say what the rules mean, for random lists of rules.
func TestSameMeaning(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	holes := 0
	for range 20000 {
		rules := randomRules(rnd)
		code := Program(rules)
		state, _, err := Resolve(rules)
		if err != nil {
			holes++
		}
		kind, major, minor := "bc"[rnd.IntN(2)], int64(rnd.IntN(4)), int64(rnd.IntN(4))
		access := uint8(1 + rnd.IntN(7))
		want := allowed(rules, kind, major, minor, access)
		if got := interpret(t, code, kind, major, minor, access); got != want {
			t.Fatalf("%v: program says %v of %c %d:%d %s", rules, got, kind, major, minor, Letters(access))
		}
		if err != nil {
			continue
		}
		// v1 takes the entries one by one, so ask for one bit only.
		bit := access & -access
		if got, want := state.allows(kind, major, minor, bit), allowed(rules, kind, major, minor, bit); got != want {
			t.Fatalf("%v: v1 says %v of %c %d:%d %s, state %+v", rules, got, kind, major, minor, Letters(bit), state)
		}
	}
	if holes == 0 || holes == 20000 {
		t.Errorf("%d lists with holes", holes)
	}
}

// allows is what the kernel makes of a v1 state.
func (s State) allows(kind byte, major, minor int64, bit uint8) bool {
	hit := slices.ContainsFunc(s.Except, func(e Rule) bool {
		return e.Access&bit != 0 && e.covers(Rule{Type: kind, Major: major, Minor: minor})
	})
	return hit != s.Allow
}

// The lines, carried out as the kernel does, end in the state that Resolve gives.
func TestLinesEndInState(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		rules := randomRules(rnd)
		want, lines, err := Resolve(rules)
		if err != nil {
			continue
		}
		got := kernel(t, State{Allow: true, Except: []Rule{{'c', 3, 3, all, false}}}, lines)
		if !same(got, want) {
			t.Fatalf("%v: %s gives %+v, want %+v", rules, text(lines), got, want)
		}
		// And a change from any other state of the same default does too.
		other, _, err := Resolve(randomRules(rnd))
		if err != nil || other.Allow != want.Allow {
			continue
		}
		if got := kernel(t, other, Change(other, want)); !same(got, want) {
			t.Fatalf("change from %+v gives %+v, want %+v", other, got, want)
		}
	}
}

// kernel is devcgroup_update_access of security/device_cgroup.c.
func kernel(t *testing.T, s State, lines []Line) State {
	t.Helper()
	s.Except = slices.Clone(s.Except)
	for _, l := range lines {
		if l.Text == "a" {
			s = State{Allow: l.Allow}
			continue
		}
		r, err := parseLine(l.Text)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(s.Except, r.same)
		switch {
		case l.Allow == s.Allow && i >= 0:
			if s.Except[i].Access &^= r.Access; s.Except[i].Access == 0 {
				s.Except = slices.Delete(s.Except, i, i+1)
			}
		case l.Allow != s.Allow && i >= 0:
			s.Except[i].Access |= r.Access
		case l.Allow != s.Allow:
			s.Except = append(s.Except, r)
		}
	}
	return s
}

func same(a, b State) bool {
	if a.Allow != b.Allow || len(a.Except) != len(b.Except) {
		return false
	}
	for _, x := range a.Except {
		if !slices.ContainsFunc(b.Except, func(y Rule) bool { return x.same(y) && x.Access == y.Access }) {
			return false
		}
	}
	return true
}

// interpret runs the few instructions that Program emits.
func interpret(t *testing.T, code []byte, kind byte, major, minor int64, access uint8) bool {
	t.Helper()
	ctx := [3]uint32{bpfBlock, uint32(major), uint32(minor)}
	if kind == 'c' {
		ctx[0] = bpfChar
	}
	ctx[0] |= uint32(access) << 16
	var reg [16]uint32
	for pc := 0; ; pc++ {
		in := code[pc*insnBytes : (pc+1)*insnBytes]
		dst, src := in[1]&15, in[1]>>4
		if !littleEndian {
			dst, src = src, dst
		}
		off := int16(binary.NativeEndian.Uint16(in[2:]))
		imm := int32(binary.NativeEndian.Uint32(in[4:]))
		switch in[0] {
		case opLoad32:
			reg[dst] = ctx[off/4]
		case opMov32:
			reg[dst] = reg[src]
		case opMov32K:
			reg[dst] = uint32(imm)
		case opAnd32K:
			reg[dst] &= uint32(imm)
		case opShr32K:
			reg[dst] >>= imm
		case opJeqK:
			if reg[dst] == uint32(imm) {
				pc += int(off)
			}
		case opJneK:
			if reg[dst] != uint32(imm) {
				pc += int(off)
			}
		case opExit:
			return reg[r0] == 1
		default:
			t.Fatalf("opcode %#x", in[0])
		}
	}
}
