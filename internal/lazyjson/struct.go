package lazyjson

import (
	"reflect"
	"strings"
)

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
func (d *decoder) structOf(t reflect.Type) *structType {
	for i := range d.structs {
		if d.structs[i].t == t {
			return &d.structs[i]
		}
	}
	s := structType{t: t}
	const most = 64 // object remembers in one word which ones it has seen
	if !s.add(t, nil) || len(s.fields) > most {
		return nil
	}
	d.structs = append(d.structs, s)
	return &d.structs[len(d.structs)-1]
}

// add appends the fields of t, then those of the structs it embeds: a name that is
// there already hides theirs.
func (s *structType) add(t reflect.Type, path []int) bool {
	own := len(s.fields)
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
