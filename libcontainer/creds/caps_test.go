package creds

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// lose takes capabilities from all sets of the calling thread.
func lose(caps []int) {
	for _, c := range caps {
		effective, permitted, inheritable, err := linux.Capget()
		if err == nil {
			err = linux.Prctl(linux.PrCapbsetDrop, uintptr(c), 0, 0, 0)
		}
		if err == nil {
			bit := uint64(1) << c
			err = linux.Capset(effective&^bit, permitted&^bit, inheritable&^bit)
		}
		if err != nil {
			panic(err)
		}
	}
}

const (
	capChown    = 1 << 0
	capKill     = 1 << 5
	capSetuid   = 1 << 7
	capNetBind  = 1 << 10
	capNetRaw   = 13
	capSysAdmin = 1 << linux.CapSysAdmin
	dockerCaps  = 0xa80425fb
)

func all(set uint64) *wire.Capabilities {
	return &wire.Capabilities{Bounding: set, Effective: set, Inheritable: set, Permitted: set, Ambient: set}
}

func docker() *wire.Capabilities {
	return &wire.Capabilities{Bounding: dockerCaps, Effective: dockerCaps, Permitted: dockerCaps}
}

// allowAll is a filter of one instruction: return SECCOMP_RET_ALLOW.
var allowAll = []byte{0x06, 0, 0, 0, 0, 0, 0xff, 0x7f}

// TestCapabilitiesAfterExec is the proof for what Capabilities' comment claims: the
// sets of the executed program follow from the configuration alone, with and
// without the CAP_SYS_ADMIN that loading a filter takes.
func TestCapabilitiesAfterExec(t *testing.T) {
	needRoot(t)
	bb := busybox(t)
	configs := map[string]*wire.Capabilities{
		"absent":              nil,
		"none":                {},
		"docker":              docker(),
		"all five sets alike": all(capChown | capKill | capNetBind),
		"with admin":          all(capChown | capSysAdmin),
		"admin bounded only":  {Bounding: capChown | capSysAdmin, Permitted: capChown, Effective: capChown},
		"part effective":      {Bounding: dockerCaps, Permitted: dockerCaps, Effective: capKill},
		"inheritable outside bounding": {
			Bounding: capChown, Inheritable: capChown | capKill, Permitted: capChown | capKill, Effective: capChown,
		},
		"ambient needs inheritable": {
			Bounding: dockerCaps, Permitted: dockerCaps, Effective: dockerCaps,
			Inheritable: capKill, Ambient: capKill | capSetuid,
		},
	}
	for name, caps := range configs {
		for _, uid := range []uint32{0, 1000} {
			for _, nnp := range []bool{false, true} {
				for _, filter := range [][]byte{nil, allowAll} {
					for _, namespaces := range []uintptr{0, syscall.CLONE_NEWUSER} {
						if uid != 0 && namespaces != 0 {
							continue // not mapped
						}
						title := fmt.Sprintf("%s/uid %d/nnp %v/filter %v/user namespace %v",
							name, uid, nnp, filter != nil, namespaces != 0)
						t.Run(title, func(t *testing.T) {
							t.Parallel()
							p := process(bb, "cat", "/proc/self/status")
							p.UID, p.GID, p.Capabilities, p.NoNewPrivs, p.SeccompFilter = uid, uid, caps, nnp, filter
							res := child(t, "become", request{Process: p}, namespaces)
							res.mustSucceed(t)
							checkStatus(t, res.stdout, &p)
						})
					}
				}
			}
		}
	}
}

// checkStatus compares /proc/PID/status with what capabilities(7) says p leads to.
func checkStatus(t *testing.T, status string, p *wire.Process) {
	t.Helper()
	c := sets(p)
	c.Ambient &= c.Permitted & c.Inheritable
	permitted, effective := c.Ambient, c.Ambient
	if p.UID == 0 {
		permitted = c.Inheritable | c.Bounding
		if p.NoNewPrivs {
			permitted &= c.Permitted
		}
		permitted |= c.Ambient
		effective = permitted
	}
	want := map[string]uint64{
		"CapInh": c.Inheritable, "CapPrm": permitted, "CapEff": effective, "CapBnd": c.Bounding, "CapAmb": c.Ambient,
	}
	for key, set := range want {
		if got, err := strconv.ParseUint(field(status, key), 16, 64); err != nil || got != set {
			t.Errorf("%s is %x, want %x (%v)", key, got, set, err)
		}
	}
	nnp, seccomp := "0", "0"
	if p.NoNewPrivs {
		nnp = "1"
	}
	if p.SeccompFilter != nil {
		seccomp = "2"
	}
	if field(status, "NoNewPrivs") != nnp || field(status, "Seccomp") != seccomp {
		t.Errorf("NoNewPrivs %s, Seccomp %s, want %s, %s", field(status, "NoNewPrivs"), field(status, "Seccomp"), nnp, seccomp)
	}
}

// field returns the value behind "key:" in the lines of status.
func field(status, key string) string {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// The set-uid bit must not bring CAP_SYS_ADMIN in either.
func TestSetuidProgramAfterFilter(t *testing.T) {
	needRoot(t)
	// Not busybox: it gives set-uid rights up by itself.
	data, err := os.ReadFile("/bin/cat")
	if err != nil {
		t.Skip("needs /bin/cat")
	}
	dir := openDir(t)
	path := dir + "/cat"
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	p := process(path, "/proc/self/status")
	p.UID, p.GID, p.Capabilities, p.SeccompFilter = 1000, 1000, docker(), allowAll
	res := child(t, "become", request{Process: p}, 0)
	res.mustSucceed(t)
	if got := field(res.stdout, "CapPrm"); got != fmt.Sprintf("%016x", dockerCaps) {
		t.Errorf("CapPrm of a set-uid program is %s, want the bounding set %x", got, dockerCaps)
	}
}

func TestUngrantableCapabilityIsOneWarning(t *testing.T) {
	needRoot(t)
	bb := busybox(t)
	p := process(bb, "cat", "/proc/self/status")
	p.Capabilities = all(dockerCaps)
	res := child(t, "become", request{Process: p, Lack: []int{capNetRaw}}, 0)
	res.mustSucceed(t)
	if strings.Count(res.stderr, "warning:") != 1 || !strings.Contains(res.stderr, ": CAP_NET_RAW (") {
		t.Errorf("want one warning that names CAP_NET_RAW, have:\n%s", res.stderr)
	}
	for _, key := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if got, want := field(res.stdout, key), fmt.Sprintf("%016x", uint64(dockerCaps&^(1<<capNetRaw))); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
}

// A capability number that the kernel does not know is a warning too.
func TestUnknownCapability(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "true")
	p.Capabilities = all(capChown | 1<<62)
	res := child(t, "become", request{Process: p}, 0)
	res.mustSucceed(t)
	if strings.Count(res.stderr, "warning:") != 1 || !strings.Contains(res.stderr, ": CAP_62 (") {
		t.Errorf("want one warning that names CAP_62, have:\n%s", res.stderr)
	}
}

// What cannot be taken away is an error: a smaller bounding set was a promise.
func TestBoundingNeedsSetpcap(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "true")
	res := child(t, "become", request{Process: p, Lack: []int{8}}, 0)
	res.mustFail(t, "drop CAP_CHOWN from the bounding set: operation not permitted")
}

func TestFilterWithoutPrivilege(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "true")
	p.SeccompFilter = allowAll
	res := child(t, "become", request{Process: p, Lack: []int{linux.CapSysAdmin}}, 0)
	res.mustFail(t, "load seccomp filter: permission denied")
}

func TestCapName(t *testing.T) {
	for c, want := range map[int]string{0: "CAP_CHOWN", 21: "CAP_SYS_ADMIN", 24: "CAP_SYS_RESOURCE", 40: "CAP_CHECKPOINT_RESTORE", 41: "CAP_41"} {
		if got := capName(c); got != want {
			t.Errorf("capName(%d) = %s, want %s", c, got, want)
		}
	}
}
