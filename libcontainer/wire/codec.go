package wire

import "errors"

// A message is the sequence of its fields; there are no tags, both sides are the
// same binary. Integers are varints, strings and lists have their length in
// front. Each type names its fields once, in its method code, and the codec
// either appends or reads them.

// ErrMalformed reports a message that is cut off or holds impossible lengths.
var ErrMalformed = errors.New("malformed message")

// codec reads or writes one message.
type codec struct {
	buf      []byte
	encoding bool
	err      error
}

// MaxMessage bounds one message: environment and arguments may be large
// (execve takes up to a quarter of the stack limit), nothing else is.
const MaxMessage = 32 << 20

func (c *codec) uvarint(v *uint64) {
	if c.encoding {
		x := *v
		for x >= 0x80 {
			c.buf = append(c.buf, byte(x)|0x80)
			x >>= 7
		}
		c.buf = append(c.buf, byte(x))
		return
	}
	*v = 0
	for i := uint(0); i < 64; i += 7 {
		if len(c.buf) == 0 {
			break
		}
		b := c.buf[0]
		c.buf = c.buf[1:]
		*v |= uint64(b&0x7f) << i
		if b < 0x80 {
			if i == 63 && b > 1 {
				break
			}
			return
		}
	}
	c.fail()
}

func (c *codec) fail() {
	c.err = ErrMalformed
	c.buf = nil
}

// length codes the length of a string or list whose elements take at least one byte each.
func (c *codec) length(n int) int {
	v := uint64(n)
	c.uvarint(&v)
	if !c.encoding && v > uint64(len(c.buf)) {
		c.fail()
		return 0
	}
	return int(v)
}

type integer interface {
	~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// num codes an integer of any width. Negative ones are sign-extended: -1 takes
// ten bytes, which no message has many of.
func num[T integer](c *codec, p *T) {
	v := uint64(int64(*p))
	c.uvarint(&v)
	*p = T(v)
	if !c.encoding && uint64(int64(*p)) != v {
		c.fail()
	}
}

func (c *codec) boolean(p *bool) {
	var v uint8
	if *p {
		v = 1
	}
	num(c, &v)
	if v > 1 {
		c.fail()
	}
	*p = v == 1
}

func (c *codec) str(p *string) {
	n := c.length(len(*p))
	if c.encoding {
		c.buf = append(c.buf, *p...)
		return
	}
	*p = string(c.buf[:n])
	c.buf = c.buf[n:]
}

func (c *codec) bytes(p *[]byte) {
	n := c.length(len(*p))
	if c.encoding {
		c.buf = append(c.buf, *p...)
		return
	}
	*p = append([]byte(nil), c.buf[:n]...)
	c.buf = c.buf[n:]
}

// list codes a list, each element with one.
func list[T any](c *codec, p *[]T, one func(*codec, *T)) {
	n := c.length(len(*p))
	if !c.encoding {
		*p = nil
		if n > 0 {
			*p = make([]T, n)
		}
	}
	for i := range *p {
		if c.err != nil {
			return
		}
		one(c, &(*p)[i])
	}
}

// opt codes a value that may be absent.
func opt[T any](c *codec, p **T, one func(*codec, *T)) {
	present := *p != nil
	c.boolean(&present)
	if !present {
		*p = nil
		return
	}
	if !c.encoding {
		*p = new(T)
	}
	one(c, *p)
}

func str(c *codec, p *string) { c.str(p) }

// decode reads a whole message with one.
func decode[T any](data []byte, p *T, one func(*codec, *T)) error {
	c := codec{buf: data}
	one(&c, p)
	if c.err == nil && len(c.buf) != 0 {
		c.fail()
	}
	return c.err
}

// encode appends a whole message to buf with one.
func encode[T any](buf []byte, p *T, one func(*codec, *T)) []byte {
	c := codec{buf: buf, encoding: true}
	one(&c, p)
	return c.buf
}
