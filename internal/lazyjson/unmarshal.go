package lazyjson

import (
	"encoding"
	"encoding/json"
	"reflect"
)

// Unmarshal is json.Unmarshal.
func Unmarshal(data []byte, v any) error {
	var d Decoder
	return d.Unmarshal(data, v)
}

// Decoder is for several documents, one after the other: it remembers the types it has
// met. The zero Decoder has met none.
type Decoder struct{ types types }

// Unmarshal is json.Unmarshal.
func (d *Decoder) Unmarshal(data []byte, v any) error {
	to := reflect.ValueOf(v)
	if to.Kind() == reflect.Pointer && !to.IsNil() {
		// A copy: encoding/json is to find what the caller has given.
		result := reflect.New(to.Type().Elem()).Elem()
		result.Set(to.Elem())
		one := decoder{reader: reader{text: string(data)}, types: &d.types}
		if one.document(result) {
			to.Elem().Set(result)
			return nil
		}
	}
	return json.Unmarshal(data, v)
}

// decoder stores the values of a document. Its methods return false when they are not
// sure.
type decoder struct {
	reader
	*types
}

func (d *decoder) document(v reflect.Value) bool {
	d.space()
	if !d.value(v) {
		return false
	}
	d.space()
	return d.at == len(d.text)
}

// value reads a value into v, which can be set. What v refers to is not changed.
func (d *decoder) value(v reflect.Value) bool {
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		return d.pointer(v)
	}
	if (t.PkgPath() != "" || t.Kind() == reflect.Struct) && !d.isPlain(t, reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return d.custom(v)
	}
	if d.peek() == 'n' {
		switch t.Kind() {
		case reflect.Map, reflect.Slice, reflect.Interface:
			v.SetZero()
		}
		return d.word("null")
	}
	switch t.Kind() {
	case reflect.Struct:
		return d.object(v)
	case reflect.Map:
		return d.mapping(v)
	case reflect.Slice:
		return d.list(v)
	case reflect.String:
		s, ok := d.str()
		v.SetString(s)
		return ok
	case reflect.Bool:
		is := d.peek() == 't'
		v.SetBool(is)
		return is && d.word("true") || d.word("false")
	default:
		return d.number(v)
	}
}

// custom reads a type with its own UnmarshalJSON. A struct without a name has it from
// what it embeds, for which there are more rules.
func (d *decoder) custom(v reflect.Value) bool {
	u, ok := v.Addr().Interface().(json.Unmarshaler)
	start := d.at
	return ok && v.Type().Name() != "" && v.IsZero() && d.skip() && u.UnmarshalJSON([]byte(d.text[start:d.at])) == nil
}

func (d *decoder) pointer(v reflect.Value) bool {
	if d.peek() == 'n' {
		v.SetZero()
		return d.word("null")
	}
	if !v.IsNil() {
		return false
	}
	v.Set(reflect.New(v.Type().Elem()))
	return d.value(v.Elem())
}

// object reads the members of a struct. A name that comes twice is left to
// encoding/json, as is one in another case.
func (d *decoder) object(v reflect.Value) bool {
	s := d.structOf(v.Type())
	if s == nil {
		return false
	}
	var seen uint64
	return d.members(func(key string) bool {
		i := s.find(key)
		if i == unknown {
			return d.skip()
		}
		if i == unsure || seen&(1<<i) != 0 {
			return false
		}
		seen |= 1 << i
		return d.value(v.FieldByIndex(s.fields[i].path))
	})
}

func (d *decoder) mapping(v reflect.Value) bool {
	t := v.Type()
	if t.Key() != reflect.TypeFor[string]() || !v.IsNil() {
		return false
	}
	// Nearly all maps of the state and of config.json are of this type; by reflection
	// one costs five times as much.
	if p, ok := v.Addr().Interface().(*map[string]string); ok {
		*p = map[string]string{}
		return d.stringMap(*p)
	}
	v.Set(reflect.MakeMap(t))
	return d.members(func(key string) bool {
		k, elem := reflect.ValueOf(key), reflect.New(t.Elem()).Elem()
		if v.MapIndex(k).IsValid() || !d.value(elem) {
			return false
		}
		v.SetMapIndex(k, elem)
		return true
	})
}

func (d *decoder) stringMap(m map[string]string) bool {
	return d.members(func(key string) bool {
		if _, twice := m[key]; twice {
			return false
		}
		value, ok := d.str()
		m[key] = value
		return ok
	})
}

func (d *decoder) list(v reflect.Value) bool {
	t := v.Type()
	// encoding/json takes bytes in base64.
	if !v.IsNil() || t.Elem().Kind() == reflect.Uint8 {
		return false
	}
	v.Set(reflect.MakeSlice(t, 0, 0))
	return d.elements(func() bool {
		n := v.Len()
		v.Grow(1)
		v.SetLen(n + 1)
		return d.value(v.Index(n))
	})
}

// number reads an integer.
func (d *decoder) number(v reflect.Value) bool {
	switch {
	case v.CanInt():
		n, ok := d.integer()
		if !ok || v.OverflowInt(n) {
			return false
		}
		v.SetInt(n)
	case v.CanUint():
		n, ok := d.unsigned()
		if !ok || v.OverflowUint(n) {
			return false
		}
		v.SetUint(n)
	default:
		return false
	}
	return true
}
