package netlink

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"
)

// Address is an address of a device with all that ip-address(8) can say about it
// but its lifetime: it is permanent.
type Address struct {
	family, prefix, scope uint8
	flags                 uint32
	local, peer           []byte
	broadcast             []byte
	label                 string
	metric                uint32
}

// kept are the flags an administrator gives an address; the others are the
// kernel's own (tentative, secondary and the like).
const kept = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR |
	unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

// Permanent lists those addresses of a device, of any family, that are permanent
// and of global scope: what the OCI runtime spec asks to keep (config-linux.md,
// Network Devices).
func (c *Conn) Permanent(index int) ([]Address, error) {
	var list []Address
	// With strict checking the kernel leaves out the addresses of other devices.
	body := ifaddr(Address{}, index)
	err := c.request(unix.RTM_GETADDR, unix.NLM_F_DUMP, body, unix.RTM_NEWADDR, func(data []byte) error {
		if len(data) < unix.SizeofIfAddrmsg {
			return errMalformed
		}
		if int(binary.NativeEndian.Uint32(data[4:])) != index {
			return nil
		}
		a := parseAddress(data)
		if a.flags&unix.IFA_F_PERMANENT != 0 && a.scope == unix.RT_SCOPE_UNIVERSE {
			list = append(list, a)
		}
		return nil
	})
	return list, err
}

// Add gives the address to a device. Labels that begin with the device's name from
// follow it to its new name to. EEXIST when it has the address.
func (c *Conn) Add(index int, a Address, from, to string) error {
	body := ifaddr(a, index)
	if len(a.local) > 0 {
		body = appendAttribute(body, unix.IFA_LOCAL, a.local)
	}
	if len(a.peer) > 0 {
		body = appendAttribute(body, unix.IFA_ADDRESS, a.peer)
	}
	if len(a.broadcast) > 0 {
		body = appendAttribute(body, unix.IFA_BROADCAST, a.broadcast)
	}
	if rest, ok := strings.CutPrefix(a.label, from); ok && rest != "" && len(to+rest) < unix.IFNAMSIZ {
		body = appendText(body, unix.IFA_LABEL, to+rest)
	}
	if a.metric != 0 {
		body = appendUint32(body, unix.IFA_RT_PRIORITY, a.metric)
	}
	body = appendUint32(body, unix.IFA_FLAGS, a.flags&kept)
	return c.request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body, 0, nil)
}

// ifaddr is struct ifaddrmsg.
func ifaddr(a Address, index int) []byte {
	b := []byte{a.family, a.prefix, uint8(a.flags & kept), a.scope}
	return binary.NativeEndian.AppendUint32(b, uint32(index))
}

func parseAddress(data []byte) Address {
	a := Address{family: data[0], prefix: data[1], flags: uint32(data[2]), scope: data[3]}
	for attr := range attributes(data[unix.SizeofIfAddrmsg:]) {
		switch attr.kind {
		case unix.IFA_LOCAL:
			a.local = append([]byte(nil), attr.data...)
		case unix.IFA_ADDRESS:
			a.peer = append([]byte(nil), attr.data...)
		case unix.IFA_BROADCAST:
			a.broadcast = append([]byte(nil), attr.data...)
		case unix.IFA_LABEL:
			a.label = attr.text()
		case unix.IFA_FLAGS:
			a.flags = attr.uint32()
		case unix.IFA_RT_PRIORITY:
			a.metric = attr.uint32()
		}
	}
	return a
}
