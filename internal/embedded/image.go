//go:build image

package embedded

import _ "embed" // for the directive

// image is image/program as the Makefile has built it.
//
//go:embed berth-image
var image []byte
