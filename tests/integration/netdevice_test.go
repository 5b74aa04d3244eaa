package integration

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// netHost is a network namespace that takes the host's place: berth runs in it,
// so that no device of the machine is touched.
type netHost struct {
	x   *Test
	pid int
}

func newNetHost(x *Test) *netHost {
	x.Helper()
	cmd := exec.Command(Busybox(), "sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	x.Must(cmd.Start())
	x.Cleanup(func() {
		// A process that was killed has no status worth a look.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &netHost{x: x, pid: cmd.Process.Pid}
}

// path names the namespace.
func (n *netHost) path() string { return "/proc/" + strconv.Itoa(n.pid) + "/ns/net" }

// run runs a program in the namespace.
func (n *netHost) run(args ...string) Result {
	n.x.Helper()
	c := n.x.Cmd(append([]string{"-t", strconv.Itoa(n.pid), "-n", "--"}, args...)...)
	c.Path = "nsenter"
	return c.Run()
}

// ip configures the namespace and returns what ip(8) prints.
func (n *netHost) ip(args ...string) string {
	n.x.Helper()
	r := n.run(append([]string{"ip"}, args...)...)
	if r.Code != 0 {
		n.x.Fatalf("%v", r)
	}
	return r.Stdout
}

// has says whether there is a device of the name.
func (n *netHost) has(name string) bool {
	n.x.Helper()
	return n.run("ip", "link", "show", "dev", name).Code == 0
}

// berth calls the runtime in the namespace.
func (n *netHost) berth(args ...string) Result {
	n.x.Helper()
	return n.run(append([]string{Runtime(), "--root", n.x.Root}, args...)...)
}

// veth makes a pair with addresses, an MTU and a hardware address on its first end.
func (n *netHost) veth(name string) {
	n.x.Helper()
	n.ip("link", "add", "dev", name, "mtu", "1400", "type", "veth", "peer", "name", name+"p")
	n.ip("link", "set", "dev", name, "address", "02:00:00:00:00:42")
	n.ip("address", "add", "192.0.2.7/24", "broadcast", "192.0.2.255", "dev", name)
	n.ip("address", "add", "169.254.9.9/32", "dev", name, "scope", "link")
	n.ip("address", "add", "2001:db8::7/64", "dev", name, "nodad")
	n.ip("link", "set", "dev", name, "up")
}

func netDevice(host, inside string) Edit {
	return func(s *specs.Spec) {
		s.Version = "1.3.0"
		s.Linux.NetDevices = map[string]specs.LinuxNetDevice{host: {Name: inside}}
	}
}

// attributes checks that a device is what veth made.
func (n *netHost) attributes(what, shown string, peerUp bool) {
	n.x.Helper()
	for _, want := range []string{"mtu 1400", "02:00:00:00:00:42", "192.0.2.7/24", "192.0.2.255", "2001:db8::7/64", "UP"} {
		n.x.Contains(what, shown, want)
	}
	if !peerUp {
		n.x.ContainsNot(what+": address of link scope", shown, "169.254.9.9")
	}
}

var netNeeds = []Need{Root, Berth, Program("nsenter"), Program("ip")}

// A device is moved into a new network namespace, renamed and up, with its
// attributes and global addresses.
func TestNetDevice(t *testing.T) {
	x := New(t, netNeeds...)
	n := newNetHost(x)
	n.veth("bt0")
	b := x.Bundle(Args("/bin/ip", "address"), netDevice("bt0", "inner0"))
	r := n.berth("run", "--bundle", b.Dir, x.ID)
	if r.Code != 0 {
		x.Fatalf("%v", r)
	}
	x.Contains("name inside", r.Stdout, "inner0")
	n.attributes("device inside", r.Stdout, false)
	// A virtual device ends with the namespace.
	x.Until("the end of the device", func() bool { return !n.has("bt0") && !n.has("bt0p") })
}

// The devices are there before sysctls are set and before hooks run.
func TestNetDeviceOrder(t *testing.T) {
	x := New(t, netNeeds...)
	n := newNetHost(x)
	n.veth("bt0")
	out := x.Mkdir("out")
	b := x.Bundle(Args("/bin/cat", "/proc/sys/net/ipv4/conf/inner0/forwarding"), netDevice("bt0", "inner0"), func(s *specs.Spec) {
		s.Linux.Sysctl = map[string]string{"net.ipv4.conf.inner0.forwarding": "1"}
		addHook(s, "createContainer", shellHook("createContainer", "busybox ip link > "+out+"/links"))
	})
	r := n.berth("run", "--bundle", b.Dir, x.ID)
	Equal(x, "forwarding", strings.TrimSpace(r.Stdout), "1")
	x.Contains("a createContainer hook sees", x.ReadFile("out/links"), "inner0")
}

// In a namespace that was joined the device stays when the container is deleted
// (runtime-spec 1.3, config-linux.md, Namespace Lifecycle and Container Termination).
func TestNetDeviceJoined(t *testing.T) {
	x := New(t, netNeeds...)
	n, pod := newNetHost(x), newNetHost(x)
	n.veth("bt0")
	pod.ip("link", "add", "dev", "net0", "type", "veth", "peer", "name", "net9")
	b := x.Bundle(netDevice("bt0", "net%d"), With(specs.NetworkNamespace, pod.path()))
	r := n.berth("run", "--bundle", b.Dir, x.ID)
	if r.Code != 0 {
		x.Fatalf("%v", r)
	}
	links := pod.ip("address")
	x.Contains("name by template", links, "net1")
	pod.attributes("device in the joined namespace", links, false)
	if n.has("bt0") {
		x.Errorf("bt0 is on the host after delete")
	}
}

// Should create fail after the move, everything is as it was.
func TestNetDeviceUndo(t *testing.T) {
	x := New(t, netNeeds...)
	n := newNetHost(x)
	n.veth("bt0")
	for what, edit := range map[string]Edit{
		"a missing executable": Args("/bin/nosuch"),
		"a second device that is missing": func(s *specs.Spec) {
			s.Linux.NetDevices["bt9"] = specs.LinuxNetDevice{}
		},
		"a hook": func(s *specs.Spec) { addHook(s, "createRuntime", shellHook("createRuntime", "exit 3")) },
	} {
		b := x.Bundle(netDevice("bt0", "inner0"), edit)
		for _, verb := range []string{"create", "run"} {
			if r := n.berth(verb, "--bundle", b.Dir, x.ID); r.Code == 0 {
				x.Fatalf("%s with %s: %v", verb, what, r)
			}
			n.attributes(verb+" with "+what, n.ip("address", "show", "dev", "bt0"), true)
			if n.has("inner0") {
				x.Errorf("%s with %s: it came back as inner0", verb, what)
			}
			x.NothingLeft()
		}
	}
}

// What cannot be moved is refused, and says why.
func TestNetDeviceRefused(t *testing.T) {
	x := New(t, netNeeds...)
	n, pod := newNetHost(x), newNetHost(x)
	n.veth("bt0")
	pod.ip("link", "add", "dev", "net0", "type", "veth", "peer", "name", "net9")
	for _, test := range []struct {
		host, inside, says string
	}{
		{"bt7", "", "linux.netDevices: move bt7 to bt7 of the container: no such device"},
		{"lo", "lo1", "move lo to lo1 of the container: invalid argument"},
		{"bt0", "net0", "move bt0 to net0 of the container: the container has a device of this name: file exists"},
	} {
		b := x.Bundle(netDevice(test.host, test.inside), With(specs.NetworkNamespace, pod.path()))
		x.Refused(n.berth("create", "--bundle", b.Dir, x.ID), 1, test.says)
		x.NothingLeft()
	}
	if !n.has("bt0") {
		x.Errorf("bt0 is gone")
	}
	// Before any of that, by the config alone.
	b := x.Bundle(netDevice("bt0", "net0"), Without(specs.NetworkNamespace))
	x.Refused(n.berth("create", "--bundle", b.Dir, x.ID), 1, "linux.netDevices: needs a network namespace")
}

// A container in a user namespace of its own, whose network namespace it owns.
func TestNetDeviceUserNS(t *testing.T) {
	x := New(t, netNeeds...)
	n := newNetHost(x)
	n.veth("bt0")
	b := x.Bundle(Args("/bin/ip", "address"), netDevice("bt0", ""), mapped)
	chownRootfs(x, b)
	r := n.berth("run", "--bundle", b.Dir, x.ID)
	if r.Code != 0 {
		x.Fatalf("%v", r)
	}
	n.attributes("device inside", r.Stdout, false)
}
