package netlink

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// namespace makes a new network namespace on a thread of its own, with a pair of
// veth devices called one and two, and returns it and a connection to it.
func namespace(t *testing.T) (*Conn, int) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	type result struct {
		c   *Conn
		fd  int
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- result{err: err}
			return
		}
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- result{err: err}
			return
		}
		c, err := Open()
		done <- result{c, fd, err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Cleanup(func() {
		r.c.Close()
		unix.Close(r.fd)
	})
	return r.c, r.fd
}

// veth makes a pair of devices; the peer is called name with a p behind it.
func veth(t *testing.T, c *Conn, name string) {
	t.Helper()
	peer := append(ifinfo(0, 0, 0), appendText(nil, unix.IFLA_IFNAME, name+"p")...)
	info := appendText(nil, unix.IFLA_INFO_KIND, "veth")
	info = appendAttribute(info, unix.IFLA_INFO_DATA, appendAttribute(nil, 1 /* VETH_INFO_PEER */, peer))
	body := appendText(ifinfo(0, 0, 0), unix.IFLA_IFNAME, name)
	body = appendAttribute(body, unix.IFLA_LINKINFO, info)
	err := c.request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body, 0, nil)
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("needs a kernel with veth")
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestMove(t *testing.T) {
	from, _ := namespace(t)
	to, nsfd := namespace(t)
	veth(t, from, "one")
	l, err := from.Link("one")
	if err != nil {
		t.Fatal(err)
	}
	if l.Name != "one" || l.Kind != "veth" || l.Up || len(l.Hardware) != 6 {
		t.Fatalf("%+v", l)
	}
	for _, a := range []Address{
		{family: unix.AF_INET, prefix: 24, local: []byte{192, 0, 2, 1}, peer: []byte{192, 0, 2, 1}, broadcast: []byte{192, 0, 2, 255}, label: "one:x", metric: 7},
		{family: unix.AF_INET, prefix: 32, local: []byte{192, 0, 2, 9}, peer: []byte{198, 51, 100, 9}, label: "one"},
		{family: unix.AF_INET, prefix: 24, local: []byte{169, 254, 1, 1}, peer: []byte{169, 254, 1, 1}, scope: unix.RT_SCOPE_LINK},
		{family: unix.AF_INET6, prefix: 64, local: append([]byte{0x20, 1, 0xd, 0xb8}, make([]byte, 12)...), flags: unix.IFA_F_NODAD},
	} {
		if err := from.Add(l.Index, a, "one", "one"); err != nil {
			t.Fatal(err)
		}
	}
	if err := from.SetUp(l.Index); err != nil {
		t.Fatal(err)
	}
	kept, err := from.Permanent(l.Index)
	if err != nil || len(kept) != 3 {
		t.Fatalf("addresses %+v, %v", kept, err)
	}
	if err := from.Move(l.Index, nsfd, "renamed"); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Link("one"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("one after the move: %v", err)
	}
	moved, err := to.Link("renamed")
	if err != nil {
		t.Fatal(err)
	}
	if moved.Up || moved.Hardware != l.Hardware {
		t.Errorf("%+v", moved)
	}
	for _, a := range kept {
		if err := to.Add(moved.Index, a, "one", "renamed"); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.SetUp(moved.Index); err != nil {
		t.Fatal(err)
	}
	again, err := to.Permanent(moved.Index)
	if err != nil || len(again) != 3 {
		t.Fatalf("addresses %+v, %v", again, err)
	}
	for _, a := range again {
		if a.family != unix.AF_INET {
			continue
		}
		switch a.local[3] {
		case 1:
			if a.label != "renamed:x" || a.metric != 7 || a.prefix != 24 {
				t.Errorf("%+v", a)
			}
		case 9:
			if a.label != "renamed" || a.peer[0] != 198 {
				t.Errorf("%+v", a)
			}
		}
	}
	if moved, err = to.Link("renamed"); err != nil || !moved.Up {
		t.Errorf("%+v, %v", moved, err)
	}
}

func TestTemplate(t *testing.T) {
	from, _ := namespace(t)
	to, nsfd := namespace(t)
	veth(t, from, "one")
	veth(t, to, "net0")
	l, err := from.Link("one")
	if err != nil {
		t.Fatal(err)
	}
	if err := from.Move(l.Index, nsfd, "net%d"); err != nil {
		t.Fatal(err)
	}
	links, err := to.Links()
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for _, link := range links {
		if link.Hardware == l.Hardware {
			found = link.Name
		}
	}
	if !strings.HasPrefix(found, "net") || found == "net0" {
		t.Errorf("became %q", found)
	}
}

func TestOpenIn(t *testing.T) {
	c, nsfd := namespace(t)
	veth(t, c, "one")
	inside, err := OpenIn(nsfd)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	l, err := inside.Link("onep")
	if err != nil {
		t.Fatal(err)
	}
	if err := inside.Rename(l.Index, "three"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Link("three"); err != nil {
		t.Error(err)
	}
	// The caller's thread has stayed where it was.
	own, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if _, err := own.Link("three"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("three in the namespace of the test: %v", err)
	}
}

// The loopback device cannot be moved, and the kernel says why.
func TestRefused(t *testing.T) {
	from, _ := namespace(t)
	_, nsfd := namespace(t)
	l, err := from.Link("lo")
	if err != nil {
		t.Fatal(err)
	}
	err = from.Move(l.Index, nsfd, "lo")
	if !errors.Is(err, unix.EINVAL) {
		t.Errorf("move lo: %v", err)
	}
}

// TestMalformed: answers that are cut off end in an error or are passed over, and
// never beyond the buffer.
func TestMalformed(t *testing.T) {
	c := &Conn{seq: 1}
	head := func(size, kind int, body ...byte) []byte {
		b := binary.NativeEndian.AppendUint32(nil, uint32(size))
		b = binary.NativeEndian.AppendUint16(b, uint16(kind))
		b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_ACK_TLVS)
		b = binary.NativeEndian.AppendUint32(b, 1)
		b = binary.NativeEndian.AppendUint32(b, 0)
		return append(b, body...)
	}
	for _, data := range [][]byte{
		head(15, unix.RTM_NEWLINK), head(100, unix.RTM_NEWLINK), head(18, unix.RTM_NEWLINK, 1, 2),
		head(18, unix.NLMSG_ERROR, 1, 2),
	} {
		_, err := c.answers(data, unix.RTM_NEWLINK, func(b []byte) error {
			_, err := parseLink(b)
			return err
		})
		if err == nil {
			t.Errorf("%x accepted", data)
		}
	}
	for range attributes([]byte{3, 0, 1, 0, 9, 0}) {
		t.Error("an attribute shorter than its head")
	}
}
