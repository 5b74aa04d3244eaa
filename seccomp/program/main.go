// Command program is berth-seccomp, the only part of berth with C in it: libseccomp.
// It is embedded in berth's binary (package seccomp, build tag seccomp), which runs
// it to compile a profile that is not in the cache.
//
// Why a program of its own: linked into berth, the C library's start and Go's
// threads for C cost every verb and every init stage 0.7 ms; and what parses and
// compiles a bundle's profile in C has nothing but the profile.
package main

import (
	"fmt"
	"os"

	"berth/seccomp"
)

func main() {
	if err := seccomp.Serve(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
