package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mode is one pass through the tests in a machine.
type mode struct {
	name    string // as in tests.txt, without spaces
	user    string // root or login
	manager string // the cgroup driver: cgroupfs or systemd
}

// boot is a machine and what it does after starting.
type boot struct {
	name  string
	modes []mode
}

// boots are two, of about the same length, one for each of two cores: a start costs
// 20 s, so a machine serves both drivers.
var boots = []boot{
	{name: "root", modes: []mode{
		{name: "root-cgroupfs", user: "root", manager: "cgroupfs"},
		{name: "root-systemd", user: "root", manager: "systemd"},
	}},
	{name: "login", modes: []mode{
		{name: "login-cgroupfs", user: "login", manager: "cgroupfs"},
		{name: "login-systemd", user: "login", manager: "systemd"},
	}},
}

// selectBoots takes names of boots and of modes; without any: all.
func selectBoots(names []string) ([]boot, error) {
	if len(names) == 0 {
		return boots, nil
	}
	known := map[string]bool{}
	var selected []boot
	for _, b := range boots {
		known[b.name] = true
		modes := slices.DeleteFunc(slices.Clone(b.modes), func(m mode) bool {
			known[m.name] = true
			return !slices.Contains(names, b.name) && !slices.Contains(names, m.name)
		})
		if len(modes) > 0 {
			selected = append(selected, boot{name: b.name, modes: modes})
		}
	}
	for _, name := range names {
		if !known[name] {
			return nil, fmt.Errorf("no boot or mode is called %q", name)
		}
	}
	return selected, nil
}

// choiceKey names the tests of a suite in a mode.
type choiceKey struct{ mode, suite string }

// choices are patterns for -test.run; a suite without tests in a mode has none there.
type choices struct {
	patterns map[choiceKey]string
	// subtests are those of each mode that have to turn up: nobody can list them before.
	subtests map[string][]string
}

// choose reads tests.txt. The binaries are in dir.
func choose(ctx context.Context, o options, dir string) (*choices, error) {
	c := &choices{map[choiceKey]string{}, map[string][]string{}}
	var lines []choice
	if o.run == "" {
		var err error
		if lines, err = readChoices("tests/vm/tests.txt"); err != nil {
			return nil, err
		}
	}
	used := make([]bool, len(lines))
	for _, suite := range suites {
		tests, err := listTests(ctx, o, binary(dir, suite))
		if err != nil {
			return nil, err
		}
		for _, b := range o.boots {
			for _, m := range b.modes {
				if o.run != "" {
					c.patterns[choiceKey{m.name, suite}] = o.run
					continue
				}
				names, err := chosen(lines, tests, m, used)
				if err != nil {
					return nil, err
				}
				if len(names) > 0 {
					c.patterns[choiceKey{m.name, suite}] = patternOf(names)
				}
				for _, name := range names {
					if strings.Contains(name, "/") {
						c.subtests[m.name] = append(c.subtests[m.name], name)
					}
				}
			}
		}
	}
	// A test that was renamed shall not drop out unseen.
	for i, line := range lines {
		if !used[i] {
			return nil, fmt.Errorf("tests.txt:%d: no test is called %s", line.number, line.pattern)
		}
	}
	return c, nil
}

// patternOf matches tests and subtests by their full names.
func patternOf(names []string) string {
	var patterns []string
	for _, name := range names {
		// Each level is matched by itself, and each alternative has its own levels.
		patterns = append(patterns, "^"+strings.ReplaceAll(regexp.QuoteMeta(name), "/", "$/^")+"$")
	}
	return strings.Join(patterns, "|")
}

// choice is a line of tests.txt.
type choice struct {
	number  int
	pattern string // of path.Match
	below   string // a subtest, with its slash
	modes   []string
}

func readChoices(path string) ([]choice, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lines []choice
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) < 2 {
			return nil, fmt.Errorf("%s:%d: want a test and its modes", path, number)
		}
		c := choice{number: number, pattern: words[0], modes: words[1:]}
		if i := strings.IndexByte(c.pattern, '/'); i >= 0 {
			c.pattern, c.below = c.pattern[:i], c.pattern[i:]
		}
		lines = append(lines, c)
	}
	return lines, nil
}

// chosen lists the tests of a mode, and notes in used which lines are about any test.
func chosen(lines []choice, tests []string, m mode, used []bool) ([]string, error) {
	var names []string
	for i, line := range lines {
		for _, test := range tests {
			match, err := filepath.Match(line.pattern, test)
			if err != nil {
				return nil, fmt.Errorf("tests.txt:%d: %w", line.number, err)
			}
			used[i] = used[i] || match
			if name := test + line.below; match && line.in(m) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

func (c choice) in(m mode) bool {
	return slices.ContainsFunc(c.modes, func(word string) bool {
		return word == "all" || word == m.name || word == m.user || word == m.manager
	})
}

// listTests names the tests in the binary.
func listTests(ctx context.Context, o options, binary string) ([]string, error) {
	cmd := exec.CommandContext(ctx, binary, "-test.list=.")
	// Any runtime of the host will do: none is called.
	path := "bin/berth"
	if strings.Contains(o.runtime, "/") {
		path = o.runtime
	}
	cmd.Env = append(os.Environ(), "BERTH_RUNTIME="+path)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s -test.list: %w\n%s", binary, err, out)
	}
	names := strings.Fields(string(out))
	return slices.DeleteFunc(names, func(s string) bool { return !strings.HasPrefix(s, "Test") }), nil
}
