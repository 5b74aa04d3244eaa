package linux

import _ "unsafe" // for go:linkname

// Args returns the command line of the process. It is what package os copies into
// os.Args in its own init, which runs long after the init stage's dispatch.
//
//go:linkname Args os.runtime_args
func Args() []string
