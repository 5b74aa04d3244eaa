package cli

import (
	"slices"
	"testing"
)

func TestSplitWords(t *testing.T) {
	for line, want := range map[string][]string{
		"sh":                       {"sh"},
		"  a \t b\nc ":             {"a", "b", "c"},
		`sh -c "echo 'x y' \"z\""`: {"sh", "-c", `echo 'x y' "z"`},
		`'a b'c"d e"`:              {"a bcd e"},
		`a\ b \'`:                  {"a b", "'"},
		`"" ''`:                    {"", ""},
		`"\n\$"`:                   {`\n$`},
		"":                         nil,
	} {
		if got, err := splitWords(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
	for _, line := range []string{`"a`, `'`, `a\`, `"\"`} {
		if got, err := splitWords(line); err == nil {
			t.Errorf("%q: %q", line, got)
		}
	}
}
