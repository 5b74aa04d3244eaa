package cli

import (
	"fmt"
	"runtime"

	"berth/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"
)

// Set by the Makefile.
var (
	version = "0.0.0-dev"
	commit  = ""
)

// printVersion writes lines that engines parse: dockerd takes the name before
// "version", the word after it, and what stands behind "commit:".
func printVersion(c *cli.Context) {
	fmt.Fprintf(c.App.Writer, "berth version %s\n", version)
	if commit != "" {
		fmt.Fprintf(c.App.Writer, "commit: %s\n", commit)
	}
	fmt.Fprintf(c.App.Writer, "spec: %s\ngo: %s\n", specs.Version, runtime.Version())
	if v := seccomp.Version(); v != "" {
		fmt.Fprintf(c.App.Writer, "libseccomp: %s\n", v)
	}
}
