package lazyjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
)

// Marshal is json.Marshal.
func Marshal(v any) ([]byte, error) {
	if text, ok := Try(v); ok {
		return text, nil
	}
	return json.Marshal(v)
}

// Try is Marshal if it can do without encoding/json. Then nothing in the text is
// escaped, nor would be with or without SetEscapeHTML.
func Try(v any) (text []byte, ok bool) {
	e := encoder{text: make([]byte, 0, 1<<10)}
	ok = e.value(reflect.ValueOf(v))
	return e.text, ok
}

// encoder appends values. Its methods return false when they are not sure.
type encoder struct {
	types
	text  []byte
	depth int
}

func (e *encoder) value(v reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	t := v.Type()
	// A method may belong to the pointer, which encoding/json looks for where it can.
	if (t.PkgPath() != "" || t.Kind() == reflect.Struct) && !e.isPlain(t, reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()) {
		return e.custom(v)
	}
	switch t.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return e.raw("null")
		}
		// A pointer may lead back to itself.
		if e.depth++; e.depth > maxDepth || !e.value(v.Elem()) {
			return false
		}
		e.depth--
	case reflect.Struct:
		return e.object(v)
	case reflect.Map:
		return e.mapping(v)
	case reflect.Slice:
		return e.list(v)
	case reflect.String:
		return e.str(v.String())
	case reflect.Bool:
		e.text = strconv.AppendBool(e.text, v.Bool())
	default:
		return e.number(v)
	}
	return true
}

func (e *encoder) raw(s string) bool {
	e.text = append(e.text, s...)
	return true
}

// custom writes a type with its own MarshalJSON. encoding/json reads the result again,
// to write it without spaces: a string in quotes, a time, say, needs no such care.
func (e *encoder) custom(v reflect.Value) bool {
	m, ok := v.Interface().(json.Marshaler)
	if !ok || v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		return false
	}
	text, err := m.MarshalJSON()
	if err != nil || len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return false
	}
	return e.str(string(text[1 : len(text)-1]))
}

func (e *encoder) object(v reflect.Value) bool {
	s := e.structOf(v.Type())
	if s == nil {
		return false
	}
	comma := byte('{')
	for _, f := range s.fields {
		value := v.FieldByIndex(f.path)
		if f.omitEmpty && isEmpty(value) {
			continue
		}
		e.text = append(e.text, comma)
		comma = ','
		if !e.str(f.name) || !e.raw(":") || !e.value(value) {
			return false
		}
	}
	if comma == '{' {
		return e.raw("{}")
	}
	return e.raw("}")
}

// isEmpty is what omitempty leaves out.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func (e *encoder) mapping(v reflect.Value) bool {
	if v.IsNil() {
		return e.raw("null")
	}
	if v.Type().Key() != reflect.TypeFor[string]() {
		return false
	}
	keys := make([]string, 0, v.Len())
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	e.raw("{")
	for i, k := range keys {
		if i > 0 {
			e.raw(",")
		}
		if !e.str(k) || !e.raw(":") || !e.value(v.MapIndex(reflect.ValueOf(k))) {
			return false
		}
	}
	return e.raw("}")
}

func (e *encoder) list(v reflect.Value) bool {
	if v.IsNil() {
		return e.raw("null")
	}
	// encoding/json writes bytes in base64.
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return false
	}
	if e.depth++; e.depth > maxDepth {
		return false
	}
	e.raw("[")
	for i := range v.Len() {
		if i > 0 {
			e.raw(",")
		}
		if !e.value(v.Index(i)) {
			return false
		}
	}
	e.depth--
	return e.raw("]")
}

// str writes a string in which nothing has to be escaped.
func (e *encoder) str(s string) bool {
	e.text = append(e.text, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	e.text = append(append(e.text, s...), '"')
	return true
}

func (e *encoder) number(v reflect.Value) bool {
	switch {
	case v.CanInt():
		e.text = strconv.AppendInt(e.text, v.Int(), 10)
	case v.CanUint():
		e.text = strconv.AppendUint(e.text, v.Uint(), 10)
	default:
		return false
	}
	return true
}
