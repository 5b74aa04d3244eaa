//go:build image

package imageside

import _ "embed" // for the directive

// program is the image program as the Makefile has built it.
//
//go:embed berth-image
var program []byte
