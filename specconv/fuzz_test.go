package specconv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzConvert feeds any text as config.json: it must be refused or converted,
// never crash, and every fault must name something.
func FuzzConvert(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{
		`{"ociVersion":"1.0.0"}`, `{"ociVersion":"1.0.0","linux":{"seccomp":null,"namespaces":[{"type":"user"}]}}`,
		`{"ociVersion":"1.0.0","process":{"user":{"uid":"0"}}}`, `{"mounts":[{"options":["idmap="]}]}`,
		`{"ociVersion":"1.0.0","linux":{"sysctl":{"net..x":"1"},"devices":[{"type":"c","path":"/dev/x","major":-1}]}}`,
		`{"ociVersion":"1.0.0","process":{"rlimits":[{"type":"RLIMIT_"}],"execCPUAffinity":{"initial":"0-99999999999"}}}`,
		"[[{\"a\u0000\":[}", `{"a":"\u0000"`, `{"ociVersion":"1.0.0","a":["\u0000"]}`,
	} {
		f.Add([]byte(text))
	}
	dir := bundle(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		UnknownFields(data)
		doc, err := Parse("config.json", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "config.json") {
				t.Errorf("error names no file: %v", err)
			}
			return
		}
		cfg, err := Convert(doc, Options{ID: "f", Bundle: dir, Debug: true})
		if err == nil && (cfg.Plan.Rootfs.Path == "" || cfg.HasProcess && len(cfg.Plan.Process.Args) == 0) {
			t.Errorf("accepted: %s", data)
		}
		if err != nil && err.Error() == "" {
			t.Error("fault without a text")
		}
	})
}
