//go:build seccomp

package embedded

import _ "embed" // for the directive

// compiler is seccomp/program as the Makefile has built it.
//
//go:embed berth-seccomp
var compiler []byte
