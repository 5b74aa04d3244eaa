package specconv

import "github.com/opencontainers/runtime-spec/specs-go"

// LoadResources reads what `update --resources` gives: a JSON object like
// linux.resources of config.json. The file "-" is stdin.
func LoadResources(file string) (*specs.LinuxResources, error) {
	name, data, err := readInput(file)
	if err != nil {
		return nil, err
	}
	r := &specs.LinuxResources{}
	if err := Decode(name, data, r); err != nil {
		return nil, err
	}
	return r, nil
}

// CheckResources refuses what no host would take; the error is of type ConfigErrors
// and names each field as config.json does.
func CheckResources(r *specs.LinuxResources) error {
	c := &converter{linux: &Linux{Linux: specs.Linux{Resources: r}}}
	c.resources()
	return c.err()
}
