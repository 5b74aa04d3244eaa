package seccomp

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"berth/internal/embedded"
)

const small = `{"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/s", "listenerMetadata": "m",
	"syscalls": [{"names": ["read", "nosuchcall"], "action": "SCMP_ACT_ALLOW"}, {"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]}`

// TestMain lets the test binary be the compiler program, too.
func TestMain(m *testing.M) {
	if os.Args[0] != embedded.Compiler.Name {
		os.Exit(m.Run())
	}
	if os.Getenv("PATH") != "" {
		fmt.Fprintln(os.Stderr, "the compiler program has an environment")
		os.Exit(2)
	}
	if err := Serve(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(refused)
	}
	os.Exit(0)
}

// program puts bytes in the place of the compiler program.
func program(t *testing.T, bytes []byte) {
	was := embedded.Compiler
	embedded.Compiler.Bytes = &bytes
	t.Cleanup(func() { embedded.Compiler = was })
}

// embed puts this test binary in the place of the compiler program.
func embed(t *testing.T) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program(t, self)
}

// What comes back from the program is what its libseccomp has made.
func TestAsk(t *testing.T) {
	if libraryVersion() == "unknown" {
		t.Skip("built without cgo: this test binary has no libseccomp to serve with")
	}
	embed(t)
	docker, err := os.ReadFile("testdata/docker-default.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{
		string(docker), small, "{}", "null", `{"defaultAction": "SCMP_ACT_ALLOW", "flags": []}`,
		`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["frobnicate"], "action": "SCMP_ACT_ALLOW"}]}`,
	} {
		want, err := Compile(json.RawMessage(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := askProgram(json.RawMessage(raw)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.60s: %+v %v, want %+v", raw, got, err, want)
		}
	}
}

// A refusal is the same sentence from inside the program.
func TestAskRefused(t *testing.T) {
	if libraryVersion() == "unknown" {
		t.Skip("built without cgo: this test binary has no libseccomp to serve with")
	}
	embed(t)
	for _, raw := range []string{"", "broken", "[]", `{"defaultAction": "SCMP_ACT_NO"}`, `{"syscalls": [{"names": ["frobnicate"]}]}`} {
		_, want := Compile(json.RawMessage(raw))
		if _, got := askProgram(json.RawMessage(raw)); want == nil || got == nil || got.Error() != want.Error() {
			t.Errorf("%s: %v, want %v", raw, got, want)
		}
		want = CheckNames(json.RawMessage(raw))
		if got := askNames(json.RawMessage(raw)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", raw, got, want)
		}
	}
}

func TestAskNobody(t *testing.T) {
	program(t, nil)
	if _, err := askProgram(json.RawMessage("{}")); err != errDisabled {
		t.Error(err)
	}
	program(t, []byte("#!/bin/sh\nexit 3\n"))
	if _, err := askProgram(json.RawMessage("{}")); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Error(err)
	}
	program(t, []byte("#!/bin/sh\necho berthbpf\n"))
	if _, err := askProgram(json.RawMessage("{}")); err == nil || !strings.HasSuffix(err.Error(), "is damaged") {
		t.Error(err)
	}
}

func TestServeRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {"format"}, {compileWord, namesWord}} {
		if err := Serve(args, strings.NewReader("{}"), &strings.Builder{}); err == nil {
			t.Errorf("%q was served", args)
		}
	}
}
