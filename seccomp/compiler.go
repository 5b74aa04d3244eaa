package seccomp

import "errors"

const (
	// compileWord and namesWord are what the compiler program is asked for, its only
	// argument. The profile goes to its standard input. compile answers with a cache
	// entry whose key is the profile's sum.
	compileWord = "compile"
	namesWord   = "names"
	// refused is its exit status for a profile that is wrong.
	refused = 1
)

// errDisabled is the one answer of a berth without libseccomp: a container that asks
// for a filter never runs without it.
var errDisabled = errors.New("linux.seccomp: this berth was built without libseccomp (CGO_ENABLED=0) and cannot compile the profile")
