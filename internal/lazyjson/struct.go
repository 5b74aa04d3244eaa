package lazyjson

import (
	"reflect"
	"slices"
	"strings"
)

// types are those that were met.
type types struct {
	structs []structType
	plain   []reflect.Type
}

// isPlain tells whether a type that can have methods is read, or written, as its kind is:
// it has neither of two interfaces, nor a pointer to it.
func (ts *types) isPlain(t, first, second reflect.Type) bool {
	if slices.Contains(ts.plain, t) {
		return true
	}
	if p := reflect.PointerTo(t); p.Implements(first) || p.Implements(second) {
		return false
	}
	if ts.plain == nil {
		ts.plain = make([]reflect.Type, 0, 32)
	}
	ts.plain = append(ts.plain, t)
	return true
}

// structType is how a struct looks in JSON.
type structType struct {
	t      reflect.Type
	fields []field
}

type field struct {
	name      string
	path      []int // as for reflect.Value.FieldByIndex
	omitEmpty bool
}

// What find returns besides an index.
const (
	unknown = -1
	unsure  = -2
)

// find returns the index of the field called key. encoding/json goes on to look for
// the name in another case.
func (s *structType) find(key string) int {
	for i := range s.fields {
		if s.fields[i].name == key {
			return i
		}
	}
	for i := range s.fields {
		if strings.EqualFold(s.fields[i].name, key) {
			return unsure
		}
	}
	return unknown
}

// structOf returns the fields of t; nil when they need more rules than are known here.
func (ts *types) structOf(t reflect.Type) *structType {
	for i := range ts.structs {
		if ts.structs[i].t == t {
			return &ts.structs[i]
		}
	}
	s := structType{t: t}
	const most = 64 // object remembers in one word which ones it has seen
	if !s.add(t, nil) || len(s.fields) > most {
		return nil
	}
	if ts.structs == nil {
		ts.structs = make([]structType, 0, 16)
	}
	ts.structs = append(ts.structs, s)
	return &ts.structs[len(ts.structs)-1]
}

// add appends the fields of t, then those of the structs it embeds: a name that is
// there already hides theirs.
func (s *structType) add(t reflect.Type, path []int) bool {
	own := len(s.fields)
	s.fields = slices.Grow(s.fields, t.NumField())
	var embedded []int
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-":
			continue
		case f.Anonymous && name == "":
			if f.Type.Kind() != reflect.Struct {
				return false
			}
			embedded = append(embedded, i)
			continue
		case !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		if options != "" && options != "omitempty" || s.has(name, own) {
			return false
		}
		if !s.has(name, 0) {
			s.fields = append(s.fields, field{name, append(path[:len(path):len(path)], i), options != ""})
		}
	}
	// Two embedded structs may hide each other's fields.
	if len(embedded) > 1 {
		return false
	}
	for _, i := range embedded {
		if !s.add(t.Field(i).Type, append(path[:len(path):len(path)], i)) {
			return false
		}
	}
	return true
}

// has tells whether a field from number from on is called name.
func (s *structType) has(name string, from int) bool {
	for _, f := range s.fields[from:] {
		if f.name == name {
			return true
		}
	}
	return false
}
