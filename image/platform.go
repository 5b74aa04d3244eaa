package image

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Platform is the system and the architecture that an image runs on.
type Platform = ocispec.Platform

// HostPlatform is what this machine runs.
func HostPlatform() Platform {
	p := Platform{OS: "linux", Architecture: runtime.GOARCH}
	switch runtime.GOARCH {
	case "arm64":
		p.Variant = "v8"
	case "arm":
		p.Variant = "v7"
	}
	return p
}

// ParsePlatform reads OS/ARCH[/VARIANT], as in linux/arm64/v8. "linux" or "arm64"
// alone are completed from the host. The architecture may have the name that
// uname(1) gives it.
func ParsePlatform(s string) (Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) > 3 || strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789/_.-") != "" {
		return Platform{}, badPlatform(s)
	}
	for i, part := range parts {
		if part == "" {
			return Platform{}, badPlatform(s)
		}
		parts[i] = strings.ToLower(part)
	}
	p := HostPlatform()
	if len(parts) == 1 {
		if knownOS(parts[0]) {
			p.OS = parts[0]
			return p, nil
		}
		arch, variant := architecture(parts[0], "")
		if !knownArchitecture(arch) {
			return Platform{}, badPlatform(s)
		}
		p.Architecture, p.Variant = arch, variant
		return p, nil
	}
	p = Platform{OS: parts[0]}
	variant := ""
	if len(parts) == 3 {
		variant = parts[2]
	}
	p.Architecture, p.Variant = architecture(parts[1], variant)
	return p, nil
}

func badPlatform(s string) error {
	return fmt.Errorf("platform %q: it is written OS/ARCHITECTURE[/VARIANT], as in linux/amd64 or linux/arm/v7", short(s))
}

func knownOS(s string) bool {
	switch s {
	case "linux", "windows", "darwin", "freebsd":
		return true
	}
	return false
}

func knownArchitecture(s string) bool {
	switch s {
	case "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm":
		return true
	}
	return false
}

// architecture turns other names for an architecture into Go's, which images use.
func architecture(arch, variant string) (string, string) {
	switch arch {
	case "x86_64", "x86-64":
		arch = "amd64"
	case "i386", "i486", "i586", "i686":
		return "386", ""
	case "aarch64", "arm64":
		arch = "arm64"
		if variant == "" {
			variant = "v8"
		}
	case "armhf", "armv7l":
		return "arm", "v7"
	case "armel", "armv6l":
		return "arm", "v6"
	case "arm":
		if variant == "" {
			variant = "v7"
		}
	}
	switch variant {
	case "8":
		variant = "v8"
	case "7":
		variant = "v7"
	case "6":
		variant = "v6"
	case "5":
		variant = "v5"
	}
	return arch, variant
}

// FormatPlatform is the reverse of ParsePlatform, without the variants that go
// without saying.
func FormatPlatform(p Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" && (p.Architecture != "arm64" || p.Variant != "v8") {
		s += "/" + p.Variant
	}
	return s
}

// SelectPlatform picks from an index the manifest that fits a platform best. An
// entry without a platform fits if it is the only one.
func SelectPlatform(index []Descriptor, want Platform) (Descriptor, error) {
	const most = 30 // in the error
	best, score := Descriptor{}, 0
	var have []string
	for _, d := range index {
		if d.Platform == nil {
			continue
		}
		if name := short(FormatPlatform(*d.Platform)); len(have) < most && !slices.Contains(have, name) {
			have = append(have, name)
		}
		if s := fit(*d.Platform, want); s > score {
			best, score = d, s
		}
	}
	if score > 0 {
		return best, nil
	}
	if len(index) == 1 && index[0].Platform == nil {
		return index[0], nil
	}
	if len(have) == 0 {
		return Descriptor{}, fmt.Errorf("platform %s: the image is for none", FormatPlatform(want))
	}
	return Descriptor{}, fmt.Errorf("platform %s: the image has only %s", FormatPlatform(want), strings.Join(have, ", "))
}

// MatchPlatform tells whether what is made for have runs where want is asked for.
func MatchPlatform(have, want Platform) bool { return fit(have, want) > 0 }

// fit is 0 when have does not run on want, else the better the higher: the same
// variant before older ones, which an ARM processor runs as well.
func fit(have, want Platform) int {
	arch, variant := architecture(have.Architecture, have.Variant)
	if have.OS != want.OS || arch != want.Architecture {
		return 0
	}
	if variant == want.Variant {
		return 100
	}
	if arch == "arm" && variant < want.Variant {
		return 50 + int(variant[len(variant)-1]-'0')
	}
	if arch == "amd64" && (variant == "" || variant == "v1") {
		return 50
	}
	if want.Variant == "" {
		return 10
	}
	return 0
}
