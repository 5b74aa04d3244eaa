//go:build !cgo

package seccomp

import (
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// errDisabled is the one answer of a binary without libseccomp: a container that
// asks for a filter never runs without it.
var errDisabled = errors.New("linux.seccomp: this berth was built without libseccomp (CGO_ENABLED=0) and cannot compile the profile")

// Enabled says whether this binary has libseccomp and can compile profiles.
func Enabled() bool { return false }

// Compile refuses every profile but nil.
func Compile(profile *specs.LinuxSeccomp) (*Program, error) {
	if profile == nil {
		return &Program{}, nil
	}
	return nil, errDisabled
}

// knownSyscall leaves it to Compile to refuse the profile.
func knownSyscall(string) bool { return true }

// libraryVersion is part of the cache key.
func libraryVersion() string { return "none" }
