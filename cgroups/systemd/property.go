package systemd

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// annotation is what starts an annotation that becomes a property of the unit.
const annotation = "org.systemd.property."

// list collects properties, each once.
type list []systemd.Property

// set adds a property, or replaces the one of this name.
func (l *list) set(name string, value any) {
	l.variant(name, dbus.MakeVariant(value))
}

func (l *list) variant(name string, v dbus.Variant) {
	p := systemd.Property{Name: name, Value: v}
	i := slices.IndexFunc(*l, func(q systemd.Property) bool { return q.Name == name })
	if i >= 0 {
		(*l)[i] = p
		return
	}
	*l = append(*l, p)
}

// allowing adds the list of devices. An empty one clears what a unit has; one that is
// not empty adds to it.
func (l list) allowing(entries []allow) list {
	none := systemd.Property{Name: "DeviceAllow", Value: dbus.MakeVariant([]allow{})}
	l = append(l, none)
	if len(entries) > 0 {
		l = append(l, systemd.Property{Name: "DeviceAllow", Value: dbus.MakeVariant(entries)})
	}
	return l
}

func (l list) has(name string) bool {
	return slices.ContainsFunc(l, func(p systemd.Property) bool { return p.Name == name })
}

// annotated returns the properties that annotations ask for, by name. A value is
// GVariant text ("uint64 5", "'word'", "['a', 'b']", "true", "@t 5"). A span of
// time in seconds, ...Sec as unit files have it, becomes ...USec, the name it has
// on the bus.
func annotated(annotations map[string]string) (list, error) {
	var props list
	for key, text := range annotations {
		name, ok := strings.CutPrefix(key, annotation)
		if !ok {
			continue
		}
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("annotation %s: %w", key, err)
		}
		v, err := parseVariant(text)
		if err != nil {
			return nil, fmt.Errorf("annotation %s: %q is not a GVariant: %w", key, text, err)
		}
		if stem, ok := strings.CutSuffix(name, "Sec"); ok && isLower(stem[len(stem)-1]) {
			if v, err = microseconds(v); err != nil {
				return nil, fmt.Errorf("annotation %s: %w", key, err)
			}
			name = stem + "USec"
		}
		props.variant(name, v)
	}
	slices.SortFunc(props, func(a, b systemd.Property) int { return strings.Compare(a.Name, b.Name) })
	return props, nil
}

// parseVariant reads GVariant text. The library (godbus 5.2) takes any digit of
// Unicode for the start of a number, and at one that is not ASCII it never ends; some
// malformed types make it panic.
func parseVariant(text string) (v dbus.Variant, err error) {
	for _, r := range text {
		if r > unicode.MaxASCII && unicode.IsNumber(r) {
			return v, fmt.Errorf("the digit %q is not one of 0 to 9 (in a string: '\\u%04x')", r, r)
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return dbus.ParseVariant(text, dbus.Signature{})
}

// checkName takes letters and digits, and refuses what makes the unit the
// container's.
func checkName(name string) error {
	bad := strings.IndexFunc(name, func(r rune) bool {
		return r > 'z' || !isLower(byte(r)) && !('A' <= r && r <= 'Z') && !('0' <= r && r <= '9')
	})
	if len(name) < 4 || bad >= 0 {
		return fmt.Errorf("%q is not the name of a property", name)
	}
	switch name {
	case "PIDs", "PIDFDs", "Slice", "Delegate":
		return fmt.Errorf("the property %s is the runtime's", name)
	}
	return nil
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

// microseconds turns a number of seconds into microseconds.
func microseconds(v dbus.Variant) (dbus.Variant, error) {
	var sec float64
	switch n := v.Value().(type) {
	case byte:
		sec = float64(n)
	case int16:
		sec = float64(n)
	case uint16:
		sec = float64(n)
	case int32:
		sec = float64(n)
	case uint32:
		sec = float64(n)
	case int64:
		sec = float64(n)
	case uint64:
		if n == math.MaxUint64 {
			return v, nil // systemd's infinity
		}
		sec = float64(n)
	case float64:
		sec = n
	default:
		return v, fmt.Errorf("%v is not a number of seconds", v)
	}
	if !(sec >= 0) || sec*1e6 >= math.MaxUint64 {
		return v, fmt.Errorf("%v is not a number of seconds", v)
	}
	return dbus.MakeVariant(uint64(math.Round(sec * 1e6))), nil
}
