//go:build !cgo

package seccomp

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Without libseccomp no profile is accepted, not even one whose program lies in
// the cache under the right key.
func TestRefusesEveryProfile(t *testing.T) {
	const want = "linux.seccomp: this berth was built without libseccomp (CGO_ENABLED=0) and cannot compile the profile"
	dir := t.TempDir()
	raw := json.RawMessage(`{"defaultAction": "SCMP_ACT_ALLOW"}`)
	key := cacheKey(raw)
	entry := encodeEntry(key, &Program{Filter: encode([]insn{{code: opRet, k: 0x7fff0000}})})
	if err := os.WriteFile(filepath.Join(dir, hex.EncodeToString(key[:])), entry, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []json.RawMessage{raw, json.RawMessage(`{}`), json.RawMessage(`broken`)} {
		if p, err := Cached(raw, dir); err == nil || err.Error() != want {
			t.Errorf("%s: %v %v", raw, p, err)
		}
	}
	if _, err := Compile(json.RawMessage("{}")); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestNoProfile(t *testing.T) {
	for _, raw := range []string{"", "null"} {
		if p, err := Cached(json.RawMessage(raw), ""); err != nil || len(p.Filter) != 0 {
			t.Errorf("%q: %v %v", raw, p, err)
		}
	}
}

func TestNoFeatures(t *testing.T) {
	if Enabled() || Archs() != nil || Actions() != nil || Operators() != nil || KnownFlags() != nil || SupportedFlags() != nil {
		t.Error("features without libseccomp")
	}
}
