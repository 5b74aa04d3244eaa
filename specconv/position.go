package specconv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// syntaxFault says where the text stops to be JSON.
func syntaxFault(name string, data []byte, e *json.SyntaxError) error {
	at := e.Offset
	if at > 0 {
		at-- // Offset counts the offending byte as read
	}
	msg := e.Error()
	if len(bytes.TrimSpace(data)) == 0 {
		msg = "the file is empty, expected an object"
	}
	line, col := lineColumn(data, at)
	return fmt.Errorf("%s:%d:%d: %s", name, line, col, msg)
}

// typeFault says which field has a value of the wrong type.
func typeFault(name string, data []byte, e *json.UnmarshalTypeError) error {
	path, start := locate(data, e.Offset)
	line, col := lineColumn(data, start)
	where := fmt.Sprintf("%s:%d:%d: ", name, line, col)
	if path != "" {
		where += path + ": "
	}
	return errors.New(where + "expected " + expected(e.Type) + ", found " + found(e.Value))
}

// expected names a Go type in words of JSON.
func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Int8, reflect.Int16, reflect.Int32:
		limit := int64(1) << (t.Bits() - 1)
		return fmt.Sprintf("an integer from %d to %d", -limit, limit-1)
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		return "a number from 0 on"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return fmt.Sprintf("a number from 0 to %d", uint64(1)<<t.Bits()-1)
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Pointer:
		return expected(t.Elem())
	}
	return t.String()
}

// found names what encoding/json met: its words are "string", "number", "number
// -1", "bool", "array", "object".
func found(value string) string {
	switch value {
	case "bool":
		return "true or false"
	case "array", "object":
		return "an " + value
	case "string", "number":
		return "a " + value
	}
	if len(value) > len("number ") && value[:len("number ")] == "number " {
		return value[len("number "):]
	}
	return value
}

// lineColumn converts an offset into a line and a column in bytes, both from 1.
func lineColumn(data []byte, offset int64) (line, col int) {
	before := data[:min(max(offset, 0), int64(len(data)))]
	return bytes.Count(before, []byte{'\n'}) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// level is one open array or object while locate reads.
type level struct {
	array   bool
	index   int    // in an array: of the element that is read
	key     string // in an object: of the member that is read
	wantKey bool
}

// locate returns the JSON path (mounts[3].options) and the first byte of the
// value at offset, which lies in that value or right behind it. encoding/json's
// own path has no array indexes and names embedded structs, so it is found again.
func locate(data []byte, offset int64) (path string, start int64) {
	walk(data, func(open []level, _ json.Token, from, to int64) bool {
		path, start = pathOf(open), from
		return to < offset
	})
	return path, start
}

// locateNUL returns path and position of the first string or key with a NUL byte.
func locateNUL(data []byte) (path string, start int64, ok bool) {
	walk(data, func(open []level, tok json.Token, from, _ int64) bool {
		s, isString := tok.(string)
		ok = isString && strings.IndexByte(s, 0) >= 0
		path, start = pathOf(open), from
		return !ok
	})
	return path, start, ok
}

// walk calls visit for every key and for the start of every value, with the levels that
// lead to it, until visit returns false. It stops silently at what is not JSON.
func walk(data []byte, visit func(open []level, tok json.Token, from, to int64) bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var open []level
	for {
		before := dec.InputOffset()
		tok, err := dec.Token()
		if err != nil {
			return
		}
		top := len(open) - 1
		if tok == json.Delim('}') || tok == json.Delim(']') {
			open = open[:top]
			next(open)
			continue
		}
		isKey := top >= 0 && open[top].wantKey
		if isKey {
			open[top].key, _ = tok.(string)
			open[top].wantKey = false
		}
		if !visit(open, tok, skipSpace(data, before), dec.InputOffset()) {
			return
		}
		switch {
		case isKey:
		case tok == json.Delim('{') || tok == json.Delim('['):
			open = append(open, level{array: tok == json.Delim('['), wantKey: tok == json.Delim('{')})
		default:
			next(open)
		}
	}
}

// next steps to the next element or member after a value has been read.
func next(open []level) {
	if len(open) == 0 {
		return
	}
	top := &open[len(open)-1]
	if top.array {
		top.index++
		return
	}
	top.wantKey = true
}

// skipSpace steps over what stands between two JSON values.
func skipSpace(data []byte, at int64) int64 {
	for at < int64(len(data)) {
		switch data[at] {
		case ' ', '\t', '\r', '\n', ',', ':':
			at++
		default:
			return at
		}
	}
	return at
}

// pathOf renders the open levels as a JSON path.
func pathOf(open []level) string {
	var b []byte
	for i := range open {
		switch {
		case open[i].array:
			b = append(b, '[')
			b = strconv.AppendInt(b, int64(open[i].index), 10)
			b = append(b, ']')
		case len(b) > 0:
			b = append(append(b, '.'), open[i].key...)
		default:
			b = append(b, open[i].key...)
		}
	}
	return string(b)
}
