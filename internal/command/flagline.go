package command

import (
	"cmp"
	"strings"

	"github.com/urfave/cli/v2"
)

// FlagLines makes help name the value of a flag once, behind all its names, and not
// repeat a flag that may be given repeatedly: otherwise the longest of them moves the
// descriptions of all out of sight.
func FlagLines() {
	library := cli.FlagStringer
	cli.FlagStringer = func(f cli.Flag) string {
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok {
			return library(f)
		}
		names := make([]string, 0, 4)
		for _, name := range f.Names() {
			names = append(names, dashed(name))
		}
		line := strings.Join(names, ", ")
		if doc.TakesValue() {
			value, _ := placeholder(doc.GetUsage())
			line += " " + cmp.Or(value, "VALUE")
		}
		_, usage, _ := strings.Cut(library(f), "\t")
		return line + "\t" + usage
	}
}
