package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// ignoredFlags are docker's that mean nothing here, or only what is done anyway:
// command lines that have them work, unless they ask for what is not made.
func ignoredFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "rm", Hidden: true}, // docker's old builder: nothing is left behind
		&cli.BoolFlag{Name: "force-rm", Hidden: true},
		&cli.BoolFlag{Name: "compress", Hidden: true},              // the context goes nowhere
		&cli.BoolFlag{Name: "disable-content-trust", Hidden: true}, // there are no such signatures
		&cli.StringFlag{Name: "builder", Hidden: true},             // there is one
		&cli.StringFlag{Name: "isolation", Hidden: true},           // of windows
		&cli.StringFlag{Name: "provenance", Hidden: true},
		&cli.StringFlag{Name: "sbom", Hidden: true},
		&cli.StringSliceFlag{Name: "attest", Hidden: true},
		&cli.StringFlag{Name: "call", Hidden: true},
	}
}

// readIgnored refuses what the flags above can ask for in vain.
func (f *buildRequest) readIgnored(c *cli.Context) error {
	for _, name := range [...]string{"provenance", "sbom"} {
		if c.IsSet(name) && !declined(c.String(name)) {
			return fmt.Errorf("--%s %s: attestations are not made", name, c.String(name))
		}
	}
	for _, text := range c.StringSlice("attest") {
		if !declined(text) {
			return fmt.Errorf("--attest %s: attestations are not made", text)
		}
	}
	switch call := c.String("call"); call {
	case "", "build":
	case "check", "lint":
		f.check = true
	default:
		return fmt.Errorf("--call %s: it is build or check", call)
	}
	return nil
}

// declined tells whether an attestation is one that is not wanted.
func declined(text string) bool {
	if yes, err := strconv.ParseBool(text); err == nil {
		return !yes
	}
	for _, word := range strings.Split(text, ",") {
		if word == "disabled=true" {
			return true
		}
	}
	return false
}
