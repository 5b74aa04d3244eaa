package wire

import (
	"errors"
	"strconv"
	"syscall"
)

// Conn frames messages on a connected stream socket: a byte for the Kind, four
// for the length, then the message. It uses blocking system calls only and does
// not own FD.
type Conn struct {
	FD int
}

// ErrClosed reports that the other side is gone.
var ErrClosed = errors.New("connection closed")

// Send writes one message, header and all in as few calls as the kernel allows.
func (c Conn) Send(kind Kind, data []byte) error {
	if len(data) > MaxMessage {
		return errors.New("message of " + strconv.Itoa(len(data)) + " bytes exceeds the limit of " + strconv.Itoa(MaxMessage))
	}
	n := len(data)
	frame := make([]byte, 0, 5+n)
	frame = append(frame, byte(kind), byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	frame = append(frame, data...)
	for len(frame) > 0 {
		// write(2), not sendmsg(2): every seccomp profile allows it, and a failed execve
		// is reported under the workload's. Go ignores SIGPIPE on such fds.
		n, err := syscall.Write(c.FD, frame)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		frame = frame[n:]
	}
	return nil
}

// Receive reads one message; ErrClosed at the end of the stream.
func (c Conn) Receive() (Kind, []byte, error) {
	var head [5]byte
	if err := c.fill(head[:]); err != nil {
		return 0, nil, err
	}
	n := int(head[1]) | int(head[2])<<8 | int(head[3])<<16 | int(head[4])<<24
	if n > MaxMessage {
		return 0, nil, ErrMalformed
	}
	data := make([]byte, n)
	if err := c.fill(data); err != nil {
		return 0, nil, err
	}
	return Kind(head[0]), data, nil
}

// Expect receives one message and checks its kind.
func (c Conn) Expect(kind Kind) error {
	got, _, err := c.Receive()
	if err != nil {
		return err
	}
	if got != kind {
		return errors.New("message " + strconv.Itoa(int(got)) + " where " + strconv.Itoa(int(kind)) + " was due")
	}
	return nil
}

func (c Conn) fill(p []byte) error {
	for len(p) > 0 {
		n, err := syscall.Read(c.FD, p)
		switch {
		case err == syscall.EINTR:
		case err == syscall.ECONNRESET || (err == nil && n == 0):
			return ErrClosed
		case err != nil:
			return err
		default:
			p = p[n:]
		}
	}
	return nil
}

// SendFD passes fd over a Unix socket with data as payload (unix(7), SCM_RIGHTS).
func SendFD(sock, fd int, data []byte) error {
	for {
		err := syscall.Sendmsg(sock, data, syscall.UnixRights(fd), nil, syscall.MSG_NOSIGNAL)
		if err != syscall.EINTR {
			return err
		}
	}
}

// ReceiveFD takes one fd, close-on-exec, and its payload from a Unix socket.
func ReceiveFD(sock int) (int, []byte, error) {
	data := make([]byte, 4096)
	oob := make([]byte, syscall.CmsgSpace(4))
	for {
		n, oobn, _, _, err := syscall.Recvmsg(sock, data, oob, syscall.MSG_CMSG_CLOEXEC)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return -1, nil, err
		}
		msgs, err := syscall.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(msgs) != 1 {
			return -1, nil, ErrMalformed
		}
		fds, err := syscall.ParseUnixRights(&msgs[0])
		if err != nil || len(fds) != 1 {
			return -1, nil, ErrMalformed
		}
		return fds[0], data[:n], nil
	}
}
