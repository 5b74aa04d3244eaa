package seccomp

import (
	_ "embed" // of a string: costs nothing at start-up
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// dockerDefault is Docker's default profile; testdata/README.md says whose it is.
//
//go:embed testdata/docker-default.json
var dockerDefault string

// Default returns Docker's default profile, for the architectures of this host.
func Default() (*specs.LinuxSeccomp, error) {
	p := new(specs.LinuxSeccomp)
	if err := json.Unmarshal([]byte(dockerDefault), p); err != nil {
		return nil, fmt.Errorf("default seccomp profile: %w", err)
	}
	switch runtime.GOARCH {
	case "amd64":
	case "arm64":
		p.Architectures = []specs.Arch{specs.ArchAARCH64, specs.ArchARM}
	default:
		// The native one alone, which a profile need not name.
		p.Architectures = nil
	}
	return p, nil
}
