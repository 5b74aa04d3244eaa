package specconv

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// LoadResources reads what `update --resources` gives: a JSON object like
// linux.resources of config.json. The file "-" is stdin.
func LoadResources(file string) (*specs.LinuxResources, error) {
	data, err := readResources(file)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(file)
	if file == "-" {
		name = "stdin"
	}
	r := &specs.LinuxResources{}
	if err := Decode(name, data, r); err != nil {
		return nil, err
	}
	return r, nil
}

func readResources(file string) ([]byte, error) {
	if file != "-" {
		return readLimited(file)
	}
	data, err := io.ReadAll(io.LimitReader(os.Stdin, maxConfig))
	if err != nil {
		return nil, fmt.Errorf("read stdin: %w", err)
	}
	return data, nil
}

// CheckResources refuses what no host would take; the error is of type ConfigErrors
// and names each field as config.json does.
func CheckResources(r *specs.LinuxResources) error {
	c := &converter{linux: &Linux{Linux: specs.Linux{Resources: r}}}
	c.resources()
	return c.err()
}
