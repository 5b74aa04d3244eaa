package sshagent

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Messages of the protocol: the first byte of each.
const (
	failure           = 5
	requestIdentities = 11
	signRequest       = 13
)

// longest bounds a message, in bytes, as in OpenSSH.
const longest = 256 << 10

// allowed tells whether a client may ask for this.
func allowed(request []byte) bool {
	return request[0] == requestIdentities || request[0] == signRequest
}

// readMessage reads one message, of a byte at least, without its length.
func readMessage(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > longest {
		return nil, fmt.Errorf("ssh agent: message of %d bytes", n)
	}
	message := make([]byte, n)
	_, err := io.ReadFull(r, message)
	return message, err
}

func writeMessage(w io.Writer, message []byte) error {
	framed := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(message)), uint32(len(message)))
	_, err := w.Write(append(framed, message...))
	return err
}
