package libcontainer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"berth/internal/netlink"
	"berth/libcontainer/configs"
	"berth/libcontainer/state"

	"golang.org/x/sys/unix"
)

// netDevices moves devices of the host into a container's network namespace and,
// should create fail, back again. Both namespaces are held open until then: with
// the last reference to the container's the kernel would remove its virtual
// devices.
//
// Once a container stands its devices belong to its namespace. The OCI runtime
// spec forbids to take them out before that ends ("Namespace Lifecycle and Container
// Termination"); then the kernel gives physical devices back, and delete their
// old names (giveNamesBack).
type netDevices struct {
	host, inside     *netlink.Conn
	hostNS, insideNS int
	moved            []movedDevice
}

// movedDevice is a device of the host and what it has become inside.
type movedDevice struct {
	before, after netlink.Link
	addresses     []netlink.Address
}

// openNetDevices connects to the network namespaces of berth and of process pid.
func openNetDevices(pid int) (_ *netDevices, err error) {
	d := &netDevices{hostNS: -1, insideNS: -1}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	const flags = unix.O_RDONLY | unix.O_CLOEXEC
	if d.hostNS, err = unix.Open("/proc/thread-self/ns/net", flags, 0); err != nil {
		return nil, fmt.Errorf("open own network namespace: %w", err)
	}
	if d.insideNS, err = unix.Open(fmt.Sprintf("/proc/%d/ns/net", pid), flags, 0); err != nil {
		return nil, fmt.Errorf("open network namespace of process %d: %w", pid, err)
	}
	if d.host, err = netlink.Open(); err != nil {
		return nil, err
	}
	d.inside, err = netlink.OpenIn(d.insideNS)
	return d, err
}

func (d *netDevices) close() {
	if d == nil {
		return
	}
	d.host.Close()
	d.inside.Close()
	for _, fd := range []*int{&d.hostNS, &d.insideNS} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// moveAll moves the devices of linux.netDevices in the order of their names.
func (d *netDevices) moveAll(cfg *configs.Config) error {
	for _, name := range slices.Sorted(maps.Keys(cfg.NetDevices)) {
		inside := cfg.NetDevices[name].Name
		if inside == "" {
			inside = name
		}
		if err := d.move(name, inside); err != nil {
			return fmt.Errorf("linux.netDevices: move %s to %s of the container: %w", name, inside, err)
		}
	}
	return nil
}

func (d *netDevices) move(name, inside string) error {
	before, err := d.host.Link(name)
	if err != nil {
		return err
	}
	m := movedDevice{before: *before}
	if m.addresses, err = d.host.Permanent(before.Index); err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	there, err := d.inside.Links()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(there, func(l netlink.Link) bool { return l.Name == inside }) {
		return fmt.Errorf("the container has a device of this name: %w", unix.EEXIST)
	}
	if err := d.host.Move(before.Index, d.insideNS, inside); err != nil {
		return err
	}
	after, err := d.arrived(there, &m.before)
	if err != nil {
		return err
	}
	m.after = *after
	d.moved = append(d.moved, m)
	if err := dress(d.inside, after, m.addresses, before.Name); err != nil {
		return err
	}
	return setUp(d.inside, after)
}

// arrived finds the device that was not there before: its name may come from a
// template, and its index changes where the number is taken.
func (d *netDevices) arrived(before []netlink.Link, device *netlink.Link) (*netlink.Link, error) {
	now, err := d.inside.Links()
	if err != nil {
		return nil, err
	}
	for i := range now {
		l := &now[i]
		known := slices.ContainsFunc(before, func(o netlink.Link) bool { return o.Index == l.Index })
		if !known && l.Hardware == device.Hardware && l.Kind == device.Kind {
			return l, nil
		}
	}
	return nil, fmt.Errorf("it did not arrive: %w", unix.ENODEV)
}

// dress gives a device the addresses it had as from.
func dress(c *netlink.Conn, l *netlink.Link, addresses []netlink.Address, from string) error {
	for _, a := range addresses {
		if err := c.Add(l.Index, a, from, l.Name); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add address: %w", err)
		}
	}
	return nil
}

func setUp(c *netlink.Conn, l *netlink.Link) error {
	if err := c.SetUp(l.Index); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return nil
}

// undo moves everything back, as it was, and closes d.
func (d *netDevices) undo() error {
	if d == nil {
		return nil
	}
	var errs []error
	for _, m := range slices.Backward(d.moved) {
		if err := d.moveBack(&m); err != nil {
			errs = append(errs, fmt.Errorf("move network device %s back: %w", m.before.Name, err))
		}
	}
	d.moved = nil
	d.close()
	return errors.Join(errs...)
}

func (d *netDevices) moveBack(m *movedDevice) error {
	if err := d.inside.Move(m.after.Index, d.hostNS, m.before.Name); err != nil {
		return err
	}
	l, err := d.host.Link(m.before.Name)
	if err != nil {
		return err
	}
	if err := dress(d.host, l, m.addresses, m.before.Name); err != nil || !m.before.Up {
		return err
	}
	return setUp(d.host, l)
}

// record lists what delete has to rename: physical devices with another name
// inside a network namespace that ends with the container. Devices of a namespace
// that was joined stay there, with all they are.
func (d *netDevices) record(cfg *configs.Config) []state.NetDevice {
	if d == nil {
		return nil
	}
	if ns := cfg.Namespace(unix.CLONE_NEWNET); ns == nil || ns.Path != "" {
		return nil
	}
	var list []state.NetDevice
	for _, m := range d.moved {
		if m.before.Kind == "" && m.before.Name != m.after.Name {
			list = append(list, state.NetDevice{Host: m.before.Name, Inside: m.after.Name, Hardware: []byte(m.before.Hardware)})
		}
	}
	return list
}

// returnWait bounds how long delete waits for the kernel to end a network
// namespace, which it does in the background.
const returnWait = 3 * time.Second

// giveNamesBack renames the physical devices that the kernel has returned from a
// container's network namespace: they come with the name they had inside, or as
// devN where that is taken.
func giveNamesBack(list []state.NetDevice) error {
	if len(list) == 0 {
		return nil
	}
	c, err := netlink.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	var errs []error
	deadline := time.Now().Add(returnWait)
	for _, d := range list {
		if err := renameBack(c, d, deadline); err != nil {
			errs = append(errs, fmt.Errorf("give network device %s its name back: %w", d.Host, err))
		}
	}
	return errors.Join(errs...)
}

func renameBack(c *netlink.Conn, d state.NetDevice, deadline time.Time) error {
	for {
		links, err := c.Links()
		if err != nil {
			return err
		}
		for _, l := range links {
			if l.Kind != "" || l.Hardware != string(d.Hardware) {
				continue
			}
			switch {
			case l.Name == d.Host:
				return nil
			case l.Name == d.Inside || strings.HasPrefix(l.Name, "dev"):
				return c.Rename(l.Index, d.Host)
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it has not come back: %w", unix.ENODEV)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
