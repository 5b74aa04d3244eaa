package specconv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"berth/internal/lazyjson"
	"berth/internal/readfile"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// maxConfig is the largest config.json that is read. The largest seen in the
// field, a pod with a long seccomp profile, has about 100 KiB.
const maxConfig = 16 << 20

// Document is a decoded config.json. Use its Linux field, never Spec.Linux,
// which stays nil: the shallower field wins in encoding/json.
type Document struct {
	specs.Spec
	Linux *Linux `json:"linux,omitempty"`
	// Sections for other platforms stay text: nobody looks into them.
	Solaris json.RawMessage `json:"solaris,omitempty"`
	Windows json.RawMessage `json:"windows,omitempty"`
	VM      json.RawMessage `json:"vm,omitempty"`
	ZOS     json.RawMessage `json:"zos,omitempty"`
	FreeBSD json.RawMessage `json:"freebsd,omitempty"`
	// Data is the text it was decoded from.
	Data []byte `json:"-"`
}

// Linux is the linux section with seccomp left as text: a profile whose compiled
// form is in the cache is looked up by its bytes and never parsed.
type Linux struct {
	specs.Linux
	Seccomp json.RawMessage `json:"seccomp,omitempty"`
}

// Load reads and decodes configFile, or config.json of the bundle when it is
// empty. Errors name file, line, column, field and what was expected there.
func Load(bundle, configFile string) (*Document, error) {
	name := configFile
	if name == "" {
		name = filepath.Join(bundle, "config.json")
	}
	data, err := readLimited(name)
	if err != nil {
		return nil, err
	}
	return Parse(filepath.Base(name), data)
}

// Parse decodes the text of a config.json; name stands in errors.
func Parse(name string, data []byte) (*Document, error) {
	doc := &Document{Data: data}
	if err := Decode(name, data, doc); err != nil {
		return nil, err
	}
	if err := checkVersion(doc.Version); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return doc, nil
}

// LoadProcess reads the process of `exec --process`.
func LoadProcess(file string) (*specs.Process, error) {
	data, err := readLimited(file)
	if err != nil {
		return nil, err
	}
	p := &specs.Process{}
	if err := Decode(filepath.Base(file), data, p); err != nil {
		return nil, err
	}
	return p, nil
}

// Decode is json.Unmarshal with errors a person can act on; name stands for the
// file in them. Unknown fields are ignored, as the spec demands.
func Decode(name string, data []byte, v any) error {
	err := lazyjson.Unmarshal(data, v)
	if err == nil {
		return refuseNUL(name, data)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return syntaxFault(name, data, syntax)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return typeFault(name, data, kind)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// refuseNUL refuses strings with a NUL byte, where the kernel would cut them off:
// what was checked and what is used would differ. In JSON such a byte can only be
// written as an escape, so the walk is taken for hardly any file.
func refuseNUL(name string, data []byte) error {
	if !bytes.Contains(data, []byte(`\u0000`)) {
		return nil
	}
	path, start, ok := locateNUL(data)
	if !ok {
		return nil
	}
	line, col := lineColumn(data, start)
	return fmt.Errorf("%s:%d:%d: %q: a NUL byte is not allowed", name, line, col, path)
}

// readInput reads a file, or stdin for "-", and says what to call it in errors.
func readInput(file string) (name string, data []byte, err error) {
	if file != "-" {
		data, err = readLimited(file)
		return filepath.Base(file), data, err
	}
	data, err = io.ReadAll(io.LimitReader(os.Stdin, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("read stdin: larger than %d MiB", maxConfig>>20)
	}
	return "stdin", data, err
}

// readLimited reads a file of at most maxConfig bytes.
func readLimited(name string) ([]byte, error) {
	data, err := readfile.Read(name, maxConfig)
	if errors.Is(err, readfile.ErrTooLarge) {
		return nil, fmt.Errorf("read %s: larger than %d MiB", name, maxConfig>>20)
	}
	return data, err
}
