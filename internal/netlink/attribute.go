package netlink

import (
	"encoding/binary"
	"iter"

	"golang.org/x/sys/unix"
)

// attribute is struct nlattr with its payload.
type attribute struct {
	kind uint16
	data []byte
}

// attributes walks a list of attributes, up to the first that is cut off.
func attributes(data []byte) iter.Seq[attribute] {
	return func(yield func(attribute) bool) {
		for len(data) >= unix.SizeofNlAttr {
			size := int(binary.NativeEndian.Uint16(data))
			if size < unix.SizeofNlAttr || size > len(data) {
				return
			}
			kind := binary.NativeEndian.Uint16(data[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if !yield(attribute{kind, data[unix.SizeofNlAttr:size]}) {
				return
			}
			data = data[min(align(size), len(data)):]
		}
	}
}

// text is a string without the NUL that ends it.
func (a attribute) text() string { return unix.ByteSliceToString(a.data) }

// uint32 is 0 when the attribute is too short.
func (a attribute) uint32() uint32 {
	if len(a.data) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(a.data)
}

func appendAttribute(b []byte, kind uint16, data []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofNlAttr+len(data)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, data...)
	return append(b, make([]byte, align(len(b))-len(b))...)
}

func appendText(b []byte, kind uint16, text string) []byte {
	return appendAttribute(b, kind, append([]byte(text), 0))
}

func appendUint32(b []byte, kind uint16, v uint32) []byte {
	return appendAttribute(b, kind, binary.NativeEndian.AppendUint32(nil, v))
}

// align rounds up to NLMSG_ALIGNTO and NLA_ALIGNTO, which are the same.
func align(n int) int { return (n + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1) }
