package specconv

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// UnknownFields lists the fields of a config.json that the spec does not define,
// as JSON paths. The spec wants them ignored; at --debug they are named, for a
// misspelt field is one of them. It decodes the text anew.
func UnknownFields(data []byte) []string {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return nil
	}
	return unknown(nil, "", v, reflect.TypeFor[Document]())
}

// unknown appends the paths of fields in v that t has no place for.
func unknown(list []string, path string, v any, t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[json.RawMessage]() {
		t = reflect.TypeFor[specs.LinuxSeccomp]()
	}
	switch value := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(value) {
			below := strings.TrimPrefix(path+"."+key, ".")
			switch t.Kind() {
			case reflect.Map:
				list = unknown(list, below, value[key], t.Elem())
			case reflect.Struct:
				if f, ok := fieldType(t, key); ok {
					list = unknown(list, below, value[key], f)
				} else {
					list = append(list, below)
				}
			}
		}
	case []any:
		for i := range value {
			if t.Kind() == reflect.Slice {
				list = unknown(list, path+"["+strconv.Itoa(i)+"]", value[i], t.Elem())
			}
		}
	}
	return list
}

// fieldType finds the field of a struct that encoding/json would fill from key: a
// field of the struct itself before one of an embedded struct, in any case.
func fieldType(t reflect.Type, key string) (reflect.Type, bool) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.Anonymous && name != "-" && strings.EqualFold(name, key) {
			return f.Type, true
		}
	}
	for f := range t.Fields() {
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			if found, ok := fieldType(f.Type, key); ok {
				return found, true
			}
		}
	}
	return nil, false
}
