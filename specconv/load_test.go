package specconv

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"berth/internal/lazyjson"
)

// TestBrokenText: the error names file, line, column, field and what was expected.
func TestBrokenText(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", `config.json:1:1: the file is empty, expected an object`},
		{"{\n \"ociVersion\": \"1.0.0\",\n \"process\": {\"user\": {\n  \"uid\": \"0\"}}}", `config.json:4:10: process.user.uid: expected a number from 0 to 4294967295, found a string`},
		{`{"ociVersion":"1.0.0","process":{"user":{"uid":-1}}}`, `config.json:1:48: process.user.uid: expected a number from 0 to 4294967295, found -1`},
		{`{"ociVersion":"1.0.0","process":{"user":{"uid":4294967296}}}`, `config.json:1:48: process.user.uid: expected a number from 0 to 4294967295, found 4294967296`},
		{`{"ociVersion":"1.0.0","mounts":[{"destination":"/a"},{"options":["a",{"b":1}]}]}`, `config.json:1:70: mounts[1].options[1]: expected a string, found an object`},
		{`{"ociVersion":"1.0.0","linux":{"sysctl":{"a":1}}}`, `config.json:1:46: linux.sysctl.a: expected a string, found a number`},
		{`{"ociVersion":"1.0.0","linux":{"resources":{"pids":[]}}}`, `config.json:1:52: linux.resources.pids: expected an object, found an array`},
		{`{"ociVersion":"1.0.0","root":{"readonly":1}}`, `config.json:1:42: root.readonly: expected true or false, found a number`},
		{`[]`, `config.json:1:1: expected an object, found an array`},
		{"{\n\"a\": }", `config.json:2:6: invalid character '}' looking for beginning of value`},
		{`{"ociVersion":"1.0.0"} x`, `config.json:1:24: invalid character 'x' after top-level value`},
		{`{"ociVersion":"1.0.0"`, `config.json:1:21: unexpected end of JSON input`},
		{`{}`, `config.json: ociVersion: missing, expected a version like 1.3.0`},
		{`null`, `config.json: ociVersion: missing, expected a version like 1.3.0`},
		{`{"ociVersion":"1.0"}`, `config.json: ociVersion: "1.0" is not a version like 1.3.0`},
		{`{"ociVersion":"v1.0.0"}`, `config.json: ociVersion: "v1.0.0" is not a version like 1.3.0`},
		{`{"ociVersion":"2.0.0"}`, `config.json: ociVersion: 2.0.0 is not supported, expected 1.0.0 to 1.3.0`},
		{`{"ociVersion":"1.0.0","process":{"args":["a","b\u0000c"]}}`, `config.json:1:46: "process.args[1]": a NUL byte is not allowed`},
		{`{"ociVersion":"1.0.0","annotations":{"a\u0000":"b"}}`, `config.json:1:38: "annotations.a\x00": a NUL byte is not allowed`},
	} {
		_, err := Parse("config.json", []byte(test.text))
		if err == nil || err.Error() != test.want {
			t.Errorf("%s\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, v := range []string{"1.0.0", "1.0.2-dev", "1.0.0-rc5", "1.3.0", "1.99.0", "1.1.0+dev", "1.0.0-0.a-b+001"} {
		if err := checkVersion(v); err != nil {
			t.Errorf("%s: %v", v, err)
		}
	}
	for _, v := range []string{"1", "1.0.0-", "1.0.0-01", "01.0.0", "1.0.0.0", "1..0", "1.0.0+", "1.0.0-a..b", " 1.0.0", "0.9.0", "1.0.x"} {
		if checkVersion(v) == nil {
			t.Errorf("%q accepted", v)
		}
	}
	if versionNote("1.3.9") != "" || versionNote("1.4.0") == "" || versionNote("1.10.0") == "" {
		t.Error("a newer minor version is not told from an older one")
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(dir, "")
	if want := "open " + dir + "/config.json: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	big := filepath.Join(dir, "big.json")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, maxConfig+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, big); err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("error %v", err)
	}
	// A backslash before u0000 is no NUL byte.
	doc, err := Parse("x", []byte(`{"ociVersion":"1.0.0","hostname":"a\\u0000"}`))
	if err != nil || doc.Hostname != `a\u0000` {
		t.Error(doc, err)
	}
}

func TestUnknownFields(t *testing.T) {
	text := `{"ociVersion":"1.0.0","foo":1,"process":{"Cwd":"/","argz":[]},"mounts":[{},{"dest":"/"}],
		"annotations":{"any":"x"},"linux":{"sysctl":{"a":"b"},"seccomp":{"syscalls":[{"nam":1}]},"resources":{"blockIO":{"weightDevice":[{"major":1,"mayor":2}]}}}}`
	want := []string{"foo", "linux.resources.blockIO.weightDevice[0].mayor", "linux.seccomp.syscalls[0].nam", "mounts[1].dest", "process.argz"}
	if got := UnknownFields([]byte(text)); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestValidateID(t *testing.T) {
	for _, id := range []string{"a", "A_+.-9", "..a", strings.Repeat("x", 255)} {
		if err := ValidateID(id); err != nil {
			t.Error(err)
		}
	}
	for id, want := range map[string]string{
		"":                       "container id is empty",
		".":                      `container id "." is not allowed: it names a directory`,
		"..":                     `container id ".." is not allowed: it names a directory`,
		"a/b":                    `container id "a/b" is not allowed: only letters, digits and _ + - . may stand in it`,
		"é":                      `container id "é" is not allowed: only letters, digits and _ + - . may stand in it`,
		strings.Repeat("x", 256): "container id is 256 bytes long, at most 255 are allowed",
	} {
		if err := ValidateID(id); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A document is read without encoding/json, and as encoding/json reads it.
func TestDecodeAlike(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var got, want Document
		gotErr, wantErr := lazyjson.Unmarshal(data, &got), json.Unmarshal(data, &want)
		if !reflect.DeepEqual(got, want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v, %v", name, got, gotErr, want, wantErr)
		}
	}
}
