package libcontainer

import (
	"strings"
	"testing"
)

// FuzzSubCgroups reads any texts as exec --cgroup: every hierarchy that is named
// gets one path, and none is empty.
func FuzzSubCgroups(f *testing.F) {
	for _, s := range [][2]string{{"sub", ""}, {"cpu,memory:a", "pids:b"}, {":", "x"}, {"cpu:", ""}, {"cpu:/../x", "cpu:y"}, {"a:b:c", ""}, {",:x", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		args := []string{first}
		if second != "" {
			args = append(args, second)
		}
		sub, err := parseSubCgroups(args)
		if err != nil {
			return
		}
		for controller, path := range sub {
			if path == "" || strings.ContainsAny(controller, ":,") {
				t.Errorf("%q: %q in %q", args, path, controller)
			}
			// The key "" is every hierarchy: only an argument without a colon means that.
			if controller == "" && strings.Contains(first, ":") && (second == "" || strings.Contains(second, ":")) {
				t.Errorf("%q: %q in every hierarchy", args, path)
			}
		}
	})
}
