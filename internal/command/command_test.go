package command

import (
	"errors"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestSize(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "-1": -1, "1048576": 1 << 20, "9223372036854775807": 1<<63 - 1, "64b": 64,
		"512k": 512 << 10, "512K": 512 << 10, "64m": 64 << 20, "64MB": 64 << 20, "64MiB": 64 << 20, "1.5g": 3 << 29, "2t": 2 << 40, ".5k": 512,
	} {
		if got, err := Size(s); err != nil || *got != want {
			t.Errorf("%q: %v, want %d", s, err, want)
		}
	}
	for _, s := range []string{"", "k", "b", "i", "ib", "1i", "1ib", "-2", "-1k", "+1", "1e3", "0x10", "1_000", "1 k", "1kk", "1kbb", ".", "1.2.3", "8388608t", "99999999999999999999", "NaN", "inf"} {
		if got, err := Size(s); err == nil {
			t.Errorf("%q: %d", s, *got)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"list", "state", "start", "stop", "ps", "t"}
	for name, want := range map[string]string{
		"lst": "did you mean --list?", "staet": "did you mean --state?", "star": "did you mean --start?",
		"x": "none", "nothinglikeit": "none", "": "none",
	} {
		if got := Suggest(name, known, "--", "none"); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestFlagError(t *testing.T) {
	for text, want := range map[string]string{
		"flag needs an argument: -bundle":                           "--bundle needs a value",
		"flag needs an argument: -b":                                "-b needs a value",
		`invalid value "x" for flag -preserve-fds: parse error`:     `--preserve-fds "x": not a value of this flag`,
		`invalid value "x\" for y" for flag -n: value out of range`: `-n "x\" for y": value out of range`,
		`invalid boolean value "maybe" for -detach: parse error`:    `--detach "maybe": not a value of this flag`,
		"invalid value of another kind":                             "invalid value of another kind",
		"something else":                                            "something else",
	} {
		if got := flagError(errors.New(text)).Error(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{"flag provided but not defined: -rm": "rm", "something else": ""} {
		if got, ok := UnknownFlag(errors.New(text)); ok && got != want || ok != (want != "") {
			t.Errorf("%s: %s, %t", text, got, ok)
		}
	}
}

func TestOneSpelling(t *testing.T) {
	app := &cli.App{
		Flags: []cli.Flag{&cli.BoolFlag{Name: "debug", Aliases: []string{"d"}}},
		Commands: []*cli.Command{{Name: "run", Flags: []cli.Flag{
			&cli.BoolFlag{Name: "interactive", Aliases: []string{"i"}}, &cli.BoolFlag{Name: "tty", Aliases: []string{"t"}},
			&cli.StringFlag{Name: "env", Aliases: []string{"e"}}, &cli.BoolFlag{Name: "it-is"},
		}}},
	}
	for args, want := range map[string]string{
		"berth -d run -it x -it":      "berth --debug run --interactive --tty x -it",
		"berth run -ite A=1 -t x":     "berth run --interactive --tty --env A=1 --tty x",
		"berth run -eit x":            "berth run -eit x",
		"berth run -it-is -ix -i=1 x": "berth run --it-is -ix --interactive=1 x",
		"berth run -e -it x":          "berth run --env -it x",
		"berth run -- -it":            "berth run -- -it",
		"berth":                       "berth",
	} {
		if got := strings.Join(OneSpelling(app, strings.Fields(args)), " "); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}
