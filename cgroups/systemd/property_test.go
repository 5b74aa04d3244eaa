package systemd

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestAnnotated(t *testing.T) {
	for _, c := range []struct {
		key, text, name string
		want            any
	}{
		{"TimeoutStopUSec", "uint64 5", "TimeoutStopUSec", uint64(5)},
		{"TimeoutStopSec", "5", "TimeoutStopUSec", uint64(5e6)},
		{"TimeoutStopSec", "1.5", "TimeoutStopUSec", uint64(1500000)},
		{"TimeoutStopSec", "uint16 2", "TimeoutStopUSec", uint64(2e6)},
		{"TimeoutStopSec", "uint64 18446744073709551615", "TimeoutStopUSec", uint64(math.MaxUint64)},
		{"CPUQuotaPerSec", "0.25", "CPUQuotaPerUSec", uint64(250000)},
		{"RuntimeMaxUSec", "@t 7", "RuntimeMaxUSec", uint64(7)},
		{"CollectMode", "'inactive'", "CollectMode", "inactive"},
		{"CollectMode", `"inactive"`, "CollectMode", "inactive"},
		{"SendSIGHUP", "true", "SendSIGHUP", true},
		{"After", "['a.service', 'b.service']", "After", []string{"a.service", "b.service"}},
		{"IOWeight", "uint64 10", "IOWeight", uint64(10)},
		{"Nice", "-5", "Nice", int32(-5)},
		{"AllowedCPUs", "[byte 0x03]", "AllowedCPUs", []byte{3}},
	} {
		props, err := annotated(map[string]string{annotation + c.key: c.text, "other": "x"})
		if err != nil {
			t.Errorf("%s=%s: %v", c.key, c.text, err)
			continue
		}
		if len(props) != 1 || props[0].Name != c.name || !reflect.DeepEqual(props[0].Value.Value(), c.want) {
			t.Errorf("%s=%s: %v", c.key, c.text, props)
		}
	}
}

func TestAnnotatedRefused(t *testing.T) {
	for _, c := range []struct{ key, text, want string }{
		{"X", "1", "not the name"},
		{"", "1", "not the name"},
		{"A.B.C.D", "1", "not the name"},
		{"Söhne", "1", "not the name"},
		{"PIDs", "[uint32 1]", "the runtime's"},
		{"Slice", "'x.slice'", "the runtime's"},
		{"Delegate", "false", "the runtime's"},
		{"Wants", "foo bar", "not a GVariant"},
		{"Wants", "", "not a GVariant"},
		{"Wants", "['a', 1]", "not a GVariant"},
		{"TimeoutStopSec", "\u06f6", "not one of 0 to 9"},
		{"Wants", "[<@aa{sv} {}>]", "unmatched"},
		{"Description", "'\u00b2'", "in a string: '\\u00b2'"},
		{"TimeoutStopSec", "'5'", "number of seconds"},
		{"TimeoutStopSec", "-1", "number of seconds"},
		{"TimeoutStopSec", "1e300", "number of seconds"},
		{"TimeoutStopSec", "true", "number of seconds"},
	} {
		_, err := annotated(map[string]string{annotation + c.key: c.text})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), annotation+c.key) {
			t.Errorf("%s=%s: %v", c.key, c.text, err)
		}
	}
}

// A later property takes the place of an earlier one: systemd would add up lists.
func TestListSet(t *testing.T) {
	var l list
	l.set("A", 1)
	l.set("B", 2)
	l.variant("A", dbus.MakeVariant(3))
	if len(l) != 2 || l[0].Value.Value() != 3 {
		t.Error(l)
	}
}

// Annotations come from whoever writes a pod: no text may break the parser.
func FuzzAnnotated(f *testing.F) {
	for _, s := range []string{"uint64 5", "['a', \"b\"]", "{'a': <1>}", "b'\\x00'", "[[", "@a{sv} {}", "<<'x'>>", "(1,", "\\", "'\\u"} {
		f.Add("TimeoutStopSec", s)
	}
	f.Fuzz(func(t *testing.T, key, text string) {
		props, err := annotated(map[string]string{annotation + key: text})
		if err == nil && len(props) != 1 {
			t.Errorf("%v", props)
		}
	})
}
