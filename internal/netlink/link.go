package netlink

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Link is one network device.
type Link struct {
	Index int
	Name  string
	// Up says that it is administratively up.
	Up bool
	// Kind is the driver of a virtual device ("veth", "vlan"); empty: a physical one,
	// which the kernel gives back to the initial network namespace when its namespace
	// ends. Others it removes (network_namespaces(7)).
	Kind string
	// Hardware is the permanent hardware address, or the current one where there is
	// none.
	Hardware string
}

// Link returns the device called name; ENODEV when there is none.
func (c *Conn) Link(name string) (*Link, error) {
	var found *Link
	body := appendText(ifinfo(0, 0, 0), unix.IFLA_IFNAME, name)
	err := c.request(unix.RTM_GETLINK, 0, body, unix.RTM_NEWLINK, func(data []byte) (err error) {
		found, err = parseLink(data)
		return err
	})
	if err == nil && found == nil {
		err = unix.ENODEV
	}
	return found, err
}

// Links lists all devices.
func (c *Conn) Links() ([]Link, error) {
	var list []Link
	err := c.request(unix.RTM_GETLINK, unix.NLM_F_DUMP, ifinfo(0, 0, 0), unix.RTM_NEWLINK, func(data []byte) error {
		l, err := parseLink(data)
		if err == nil {
			list = append(list, *l)
		}
		return err
	})
	return list, err
}

// Move hands the device over to the network namespace open at nsfd, where it gets
// the name, or for a name that ends in %d the first such name that is free. Its
// addresses are lost and it is down.
func (c *Conn) Move(index, nsfd int, name string) error {
	body := ifinfo(index, 0, 0)
	body = appendUint32(body, unix.IFLA_NET_NS_FD, uint32(nsfd))
	body = appendText(body, unix.IFLA_IFNAME, name)
	return c.request(unix.RTM_NEWLINK, 0, body, 0, nil)
}

// Rename gives the device another name. Before v6.2 it has to be down.
func (c *Conn) Rename(index int, name string) error {
	return c.request(unix.RTM_NEWLINK, 0, appendText(ifinfo(index, 0, 0), unix.IFLA_IFNAME, name), 0, nil)
}

// SetUp makes the device administratively up.
func (c *Conn) SetUp(index int) error {
	return c.request(unix.RTM_NEWLINK, 0, ifinfo(index, unix.IFF_UP, unix.IFF_UP), 0, nil)
}

// ifinfo is struct ifinfomsg.
func ifinfo(index int, flags, change uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], flags)
	binary.NativeEndian.PutUint32(b[12:], change)
	return b
}

func parseLink(data []byte) (*Link, error) {
	if len(data) < unix.SizeofIfInfomsg {
		return nil, errMalformed
	}
	l := &Link{
		Index: int(int32(binary.NativeEndian.Uint32(data[4:]))),
		Up:    binary.NativeEndian.Uint32(data[8:])&unix.IFF_UP != 0,
	}
	var current, permanent string
	for a := range attributes(data[unix.SizeofIfInfomsg:]) {
		switch a.kind {
		case unix.IFLA_IFNAME:
			l.Name = a.text()
		case unix.IFLA_ADDRESS:
			current = string(a.data)
		case unix.IFLA_PERM_ADDRESS:
			permanent = string(a.data)
		case unix.IFLA_LINKINFO:
			for info := range attributes(a.data) {
				if info.kind == unix.IFLA_INFO_KIND {
					l.Kind = info.text()
				}
			}
		}
	}
	if l.Hardware = permanent; permanent == "" {
		l.Hardware = current
	}
	return l, nil
}
