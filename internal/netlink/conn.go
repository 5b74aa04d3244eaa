package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Conn is a connection to the rtnetlink of one network namespace.
type Conn struct {
	fd  int
	seq uint32
}

// Open connects to the network namespace of the calling thread.
func Open() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind netlink socket: %w", err)
	}
	// Since v4.12 and v4.20: the reason for an error as text, and checked requests.
	// Without them the errno has to do.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	return &Conn{fd: fd}, nil
}

// OpenIn connects to the network namespace that is open at nsfd. A thread of its
// own enters it, and ends: it is never unlocked.
func OpenIn(nsfd int) (*Conn, error) {
	type result struct {
		c   *Conn
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(nsfd, unix.CLONE_NEWNET); err != nil {
			done <- result{err: fmt.Errorf("enter network namespace: %w", err)}
			return
		}
		c, err := Open()
		done <- result{c, err}
	}()
	r := <-done
	return r.c, r.err
}

// Close gives the connection up; a second time it does nothing.
func (c *Conn) Close() {
	if c != nil && c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
}

// request sends one message and calls each with the payload of every answer of
// type answer. each may be nil.
func (c *Conn) request(kind, flags uint16, body []byte, answer uint16, each func([]byte) error) error {
	c.seq++
	msg := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	binary.NativeEndian.PutUint32(msg[0:], uint32(unix.NLMSG_HDRLEN+len(body)))
	binary.NativeEndian.PutUint16(msg[4:], kind)
	binary.NativeEndian.PutUint16(msg[6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	binary.NativeEndian.PutUint32(msg[8:], c.seq)
	msg = append(msg, body...)
	if err := unix.Sendto(c.fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send to netlink: %w", err)
	}
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(c.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("receive from netlink: %w", err)
		}
		done, err := c.answers(buf[:n], answer, each)
		if done || err != nil {
			return err
		}
	}
}

// answers goes through one datagram; done says that the exchange has ended.
func (c *Conn) answers(data []byte, answer uint16, each func([]byte) error) (done bool, err error) {
	for len(data) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(data))
		kind, flags := binary.NativeEndian.Uint16(data[4:]), binary.NativeEndian.Uint16(data[6:])
		seq := binary.NativeEndian.Uint32(data[8:])
		if size < unix.NLMSG_HDRLEN || size > len(data) {
			return true, errMalformed
		}
		body := data[unix.NLMSG_HDRLEN:size]
		data = data[min(align(size), len(data)):]
		if seq != c.seq {
			continue // the rest of an exchange that was given up
		}
		switch {
		case kind == unix.NLMSG_ERROR:
			return true, status(body, flags)
		case kind == unix.NLMSG_DONE:
			return true, nil
		case kind == answer && each != nil:
			if err := each(body); err != nil {
				return true, err
			}
		}
	}
	return false, nil
}

var errMalformed = errors.New("malformed netlink message")

// status reads struct nlmsgerr, and behind it the kernel's own words.
func status(body []byte, flags uint16) error {
	if len(body) < 4+unix.NLMSG_HDRLEN {
		return errMalformed
	}
	errno := -int32(binary.NativeEndian.Uint32(body))
	if errno == 0 {
		return nil
	}
	err := error(unix.Errno(errno))
	if flags&unix.NLM_F_ACK_TLVS == 0 {
		return err
	}
	skip := 4 + unix.NLMSG_HDRLEN
	if flags&unix.NLM_F_CAPPED == 0 {
		// The whole request stands in front of the attributes.
		skip = 4 + align(int(binary.NativeEndian.Uint32(body[4:])))
	}
	if skip > len(body) {
		return err
	}
	for a := range attributes(body[skip:]) {
		if a.kind == unix.NLMSGERR_ATTR_MSG {
			return fmt.Errorf("%w (%s)", err, a.text())
		}
	}
	return err
}
