package intelrdt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// allocation is the share of one resource in one domain ("L3", "0").
type allocation struct{ resource, domain string }

// parse reads lines like "L3:0=7f0;1=1f". Values are told apart as the kernel
// prints them: hexadecimal masks without leading zeros, in small letters.
func parse(lines []string) map[allocation]string {
	found := map[allocation]string{}
	for _, line := range lines {
		resource, rest, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		for part := range strings.SplitSeq(rest, ";") {
			domain, value, ok := strings.Cut(part, "=")
			if !ok {
				continue
			}
			value = strings.TrimLeft(strings.ToLower(strings.TrimSpace(value)), "0")
			found[allocation{strings.TrimSpace(resource), strings.TrimSpace(domain)}] = value
		}
	}
	return found
}

// compare refuses a group that gives other shares than wanted. What the lines do
// not name may be anything.
func (g *Group) compare(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	path := filepath.Join(g.Path, "schemata")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	has := parse(strings.Split(string(text), "\n"))
	for _, line := range lines {
		for a, value := range parse([]string{line}) {
			if is, ok := has[a]; !ok || is != value {
				return fmt.Errorf("%q does not match %s, which exists and has %q for %s of domain %s", line, path, is, a.resource, a.domain)
			}
		}
	}
	return nil
}
