package intelrdt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Update gives the group other shares: of the L3 cache, of the memory bandwidth, or of
// both; an empty line leaves its resource alone. A named group changes for everybody
// in it. undo puts back what there was.
func (g *Group) Update(l3Cache, memBw string) (undo func() error, err error) {
	c := Config{L3CacheSchema: l3Cache, MemBwSchema: memBw}
	lines := c.lines()
	path := filepath.Join(g.Path, "schemata")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	before := resourceLines(string(text), lines)
	if err := g.write(lines); err != nil {
		closID := ""
		if _, err := os.Stat(filepath.Join(g.Path, "info")); err == nil {
			closID = "/" // only the root group has one
		}
		return nil, fmt.Errorf("%w%s", err, lastStatus(g.Path, closID))
	}
	return func() error { return g.write(before) }, nil
}

// resourceLines returns the lines of a group's schemata about the resources that
// others name.
func resourceLines(schemata string, others []string) []string {
	var found []string
	for line := range strings.Lines(schemata) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		for _, other := range others {
			if strings.HasPrefix(strings.TrimSpace(other), name+":") {
				found = append(found, strings.TrimSpace(line))
				break
			}
		}
	}
	return found
}
