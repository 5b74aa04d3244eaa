package specconv

import (
	"encoding/json"
	"math"
	"path"
	"slices"
	"strings"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// landlock is the value of the annotation io.berth.landlock. Its form is that of
// the field that is proposed for the runtime spec (pull requests 1111 and 1241), so
// that a config can move there; ports and scopes, which the kernel got later, are
// added in the same manner.
type landlock struct {
	Ruleset struct {
		HandledAccessFS  []string `json:"handledAccessFS"`
		HandledAccessNet []string `json:"handledAccessNet"`
		Scoped           []string `json:"scoped"`
	} `json:"ruleset"`
	Rules struct {
		PathBeneath []struct {
			AllowedAccess []string `json:"allowedAccess"`
			Paths         []string `json:"paths"`
		} `json:"pathBeneath"`
		NetPort []struct {
			AllowedAccess []string `json:"allowedAccess"`
			Ports         []uint64 `json:"ports"`
		} `json:"netPort"`
	} `json:"rules"`
	DisableBestEffort bool `json:"disableBestEffort"`
}

// accessName is an access right as the kernel's constants spell it, in small
// letters.
type accessName struct {
	name string
	bit  uint64
}

var landlockFS = [...]accessName{
	{"execute", linux.LandlockFSExecute},
	{"write_file", linux.LandlockFSWriteFile},
	{"read_file", linux.LandlockFSReadFile},
	{"read_dir", linux.LandlockFSReadDir},
	{"remove_dir", linux.LandlockFSRemoveDir},
	{"remove_file", linux.LandlockFSRemoveFile},
	{"make_char", linux.LandlockFSMakeChar},
	{"make_dir", linux.LandlockFSMakeDir},
	{"make_reg", linux.LandlockFSMakeReg},
	{"make_sock", linux.LandlockFSMakeSock},
	{"make_fifo", linux.LandlockFSMakeFifo},
	{"make_block", linux.LandlockFSMakeBlock},
	{"make_sym", linux.LandlockFSMakeSym},
	{"refer", linux.LandlockFSRefer},
	{"truncate", linux.LandlockFSTruncate},
	{"ioctl_dev", linux.LandlockFSIoctlDev},
}

var landlockNet = [...]accessName{
	{"bind_tcp", linux.LandlockNetBindTCP},
	{"connect_tcp", linux.LandlockNetConnectTCP},
}

var landlockScopes = [...]accessName{
	{"abstract_unix_socket", linux.LandlockScopeAbstractUnix},
	{"signal", linux.LandlockScopeSignal},
}

// landlockPath is where faults say that they are.
const landlockPath = `annotations["` + annotationLandlock + `"]`

// landlock converts the annotation; empty: there is none. A field that it does not
// have is an error, unlike in config.json: nobody else reads it.
func (c *processConverter) landlock(text string) *wire.Landlock {
	if text == "" {
		return nil
	}
	var l landlock
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		c.fault("%s: %w", landlockPath, err)
		return nil
	}
	if d.More() {
		c.fault("%s: more than one value", landlockPath)
	}
	r := &l.Ruleset
	w := &wire.Landlock{
		FS:     c.landlockAccess("ruleset.handledAccessFS", r.HandledAccessFS, landlockFS[:]),
		Net:    c.landlockAccess("ruleset.handledAccessNet", r.HandledAccessNet, landlockNet[:]),
		Scoped: c.landlockAccess("ruleset.scoped", r.Scoped, landlockScopes[:]),
		Strict: l.DisableBestEffort,
	}
	if w.FS|w.Net|w.Scoped == 0 {
		c.fault("%s.ruleset: handles nothing", landlockPath)
	}
	c.landlockRules(w, &l)
	return w
}

func (c *processConverter) landlockRules(w *wire.Landlock, l *landlock) {
	for i, rule := range l.Rules.PathBeneath {
		field := at("rules.pathBeneath", i)
		bits := c.landlockAllowed(field, rule.AllowedAccess, landlockFS[:], w.FS)
		for j, p := range rule.Paths {
			if !path.IsAbs(p) {
				c.fault("%s.%s: %q is not absolute", landlockPath, at(field+".paths", j), p)
			}
			w.Paths = append(w.Paths, wire.LandlockPath{Path: p, Access: bits})
		}
	}
	for i, rule := range l.Rules.NetPort {
		field := at("rules.netPort", i)
		bits := c.landlockAllowed(field, rule.AllowedAccess, landlockNet[:], w.Net)
		for j, port := range rule.Ports {
			if port > math.MaxUint16 {
				c.fault("%s.%s: %d is not a port", landlockPath, at(field+".ports", j), port)
			}
			w.Ports = append(w.Ports, wire.LandlockPort{Port: port, Access: bits})
		}
	}
}

// landlockAllowed reads what a rule allows, which has to be something that is handled.
func (c *processConverter) landlockAllowed(rule string, names []string, table []accessName, handled uint64) uint64 {
	field := rule + ".allowedAccess"
	bits := c.landlockAccess(field, names, table)
	if bits == 0 || bits&^handled != 0 {
		c.fault("%s.%s: has to name access rights that the ruleset handles, and no others", landlockPath, field)
	}
	return bits
}

func (c *processConverter) landlockAccess(field string, names []string, table []accessName) (bits uint64) {
	for i, name := range names {
		k := slices.IndexFunc(table, func(a accessName) bool { return a.name == name })
		if k < 0 {
			c.fault("%s.%s: %q is not an access right of landlock(7)", landlockPath, at(field, i), name)
			continue
		}
		bits |= table[k].bit
	}
	return bits
}
