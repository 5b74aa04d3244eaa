package specconv

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestFeatures(t *testing.T) {
	f := Features("1", "c", nil)
	if !slices.Contains(f.MountOptions, "rro") || !slices.Contains(f.MountOptions, "idmap") || !slices.IsSorted(f.MountOptions) {
		t.Errorf("mount options %q", f.MountOptions)
	}
	if len(f.Hooks) != 6 || len(f.Linux.Namespaces) != 8 || len(f.Linux.Capabilities) != 41 || len(f.Linux.MemoryPolicy.Modes) != 7 {
		t.Errorf("%+v", f)
	}
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"ociVersionMin":"1.0.0"`, `"ociVersionMax":"1.3.0"`, `"cgroup":{"v1":true,"v2":true,"systemd":true,"systemdUser":true,"rdma":true}`, `"idmap":{"enabled":true}`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
}
