//go:build !cgo

package seccomp

import (
	"encoding/json"

	"berth/internal/embedded"
)

// library is the version of the libseccomp in the compiler program; set by the
// Makefile.
var library = "unknown"

// libraryVersion is part of the cache key.
func libraryVersion() string { return library }

// Enabled says whether profiles can be compiled.
func Enabled() bool { return !embedded.Compiler.Missing() }

// Compile turns raw, a profile as in linux.seccomp, into a program: the compiler
// program does, with libseccomp. One that is null, or has neither a default action
// nor syscalls, filters nothing: its Program is empty. Architectures and syscalls
// libseccomp does not know are left out and named in Notes. Errors name the field at
// fault.
func Compile(raw json.RawMessage) (*Program, error) { return askProgram(raw) }

// CheckNames refuses a profile that names system calls the compiler's libseccomp does
// not know; otherwise they are left to the default action, and noted.
func CheckNames(raw json.RawMessage) error { return askNames(raw) }
