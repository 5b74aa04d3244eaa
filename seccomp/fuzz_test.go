package seccomp

import (
	"encoding/json"
	"os"
	"testing"
)

// Whatever a bundle has for a profile, it is refused or gives a program the
// kernel takes.
func FuzzProfile(f *testing.F) {
	if docker, err := os.ReadFile("testdata/docker-default.json"); err == nil {
		f.Add(docker)
	}
	for _, seed := range []string{
		`{}`,
		`{"defaultAction": "SCMP_ACT_ALLOW"}`,
		`{"defaultAction": "SCMP_ACT_KILL", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_S390X"], "flags": ["SECCOMP_FILTER_FLAG_LOG"]}`,
		`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 3, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]}]}`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s", "syscalls": [{"names": ["mount", "nosuch"], "action": "SCMP_ACT_NOTIFY", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_NE"}, {"index": 0, "value": 2, "op": "SCMP_CMP_NE"}]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Cached(json.RawMessage(raw), "")
		if err != nil || len(p.Filter) == 0 {
			return
		}
		code := decode(t, p.Filter)
		if err := verify(code); err != nil {
			t.Fatal(err)
		}
		for _, nr := range []uint32{0, 1, 600, x32Bit, 0xffffffff} {
			for _, a := range archs {
				run(code, &data{nr: nr, arch: a.audit})
			}
		}
	})
}

// No file in the cache makes the reader panic or return a filter the kernel
// cannot take.
func FuzzEntry(f *testing.F) {
	var key [32]byte
	f.Add(encodeEntry(key, &Program{Filter: make([]byte, 16), Flags: 4, Notes: []string{"n"}}), false)
	f.Add([]byte(entryMagic), true)
	f.Fuzz(func(t *testing.T, b []byte, sign bool) {
		if sign && len(b) >= entryHeader {
			// With the right sum the fuzzer gets behind it.
			sum := entrySum(key, b[entryHeader:])
			copy(b[len(entryMagic):], sum[:])
		}
		if p := decodeEntry(key, b); p != nil && len(p.Filter) > 0 {
			if err := checkLength(p.Filter); err != nil {
				t.Fatal(err)
			}
		}
	})
}
