package lazyjson

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// reader reads JSON text. Its methods start at the first byte of what they read, stop
// behind its last, and return false for what is not JSON (RFC 8259), and for what
// they are not sure of.
type reader struct {
	text  string
	at    int
	depth int
}

// maxDepth is far below the depth that encoding/json refuses.
const maxDepth = 100

// peek returns the next byte; 0 at the end, and 0 begins no value.
func (r *reader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *reader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}

// take steps over the byte c, if it is next.
func (r *reader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.at++
	return true
}

func (r *reader) word(w string) bool {
	if !strings.HasPrefix(r.text[r.at:], w) {
		return false
	}
	r.at += len(w)
	return true
}

// members calls value at the value of each member of an object.
func (r *reader) members(value func(key string) bool) bool {
	return r.sequence('{', '}', func() bool {
		key, ok := r.str()
		if !ok {
			return false
		}
		r.space()
		if !r.take(':') {
			return false
		}
		r.space()
		return value(key)
	})
}

// elements calls value at each element of an array.
func (r *reader) elements(value func() bool) bool { return r.sequence('[', ']', value) }

func (r *reader) sequence(begin, end byte, item func() bool) bool {
	if r.depth++; r.depth > maxDepth || !r.take(begin) {
		return false
	}
	r.space()
	for first := true; !r.take(end); first = false {
		if !first {
			if !r.take(',') {
				return false
			}
			r.space()
		}
		if !item() {
			return false
		}
		r.space()
	}
	r.depth--
	return true
}

// skip reads any value.
func (r *reader) skip() bool {
	switch r.peek() {
	case '{':
		return r.members(func(string) bool { return r.skip() })
	case '[':
		return r.elements(r.skip)
	case '"':
		_, ok := r.str()
		return ok
	case 't':
		return r.word("true")
	case 'f':
		return r.word("false")
	case 'n':
		return r.word("null")
	default:
		return r.float()
	}
}

// str reads a string. One without escapes shares the memory of the text.
func (r *reader) str() (string, bool) {
	if !r.take('"') {
		return "", false
	}
	start := r.at
	ascii := true
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			s := r.text[start:r.at]
			r.at++
			return s, ascii || utf8.ValidString(s)
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", false
}

// escaped reads the rest of a string that began at start.
func (r *reader) escaped(start int) (string, bool) {
	s := []byte(r.text[start:r.at])
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(s), utf8.Valid(s)
		case c < ' ':
			return "", false
		case c == '\\':
			char, ok := r.escape()
			if !ok {
				return "", false
			}
			s = utf8.AppendRune(s, char)
		default:
			s = append(s, c)
		}
	}
	return "", false
}

// escape reads what follows a backslash, halves of surrogate pairs excepted.
func (r *reader) escape() (rune, bool) {
	c := r.peek()
	r.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		end := r.at + 4
		if end > len(r.text) {
			return 0, false
		}
		n, err := strconv.ParseUint(r.text[r.at:end], 16, 16)
		r.at = end
		return rune(n), err == nil && utf8.ValidRune(rune(n))
	}
	return 0, false
}

// digits reads decimal digits and tells whether there were any.
func (r *reader) digits() bool {
	start := r.at
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.at++
	}
	return r.at > start
}

// whole reads the integer part of a number.
func (r *reader) whole() bool {
	r.take('-')
	return r.take('0') || r.digits()
}

// float reads a number.
func (r *reader) float() bool {
	if !r.whole() || r.take('.') && !r.digits() {
		return false
	}
	if !r.take('e') && !r.take('E') {
		return true
	}
	_ = r.take('+') || r.take('-') // either, or none
	return r.digits()
}

func (r *reader) integer() (int64, bool) {
	start := r.at
	if !r.whole() {
		return 0, false
	}
	n, err := strconv.ParseInt(r.text[start:r.at], 10, 64)
	return n, err == nil
}

func (r *reader) unsigned() (uint64, bool) {
	start := r.at
	if !r.whole() {
		return 0, false
	}
	n, err := strconv.ParseUint(r.text[start:r.at], 10, 64)
	return n, err == nil
}
