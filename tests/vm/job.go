package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// makeJob makes the disk that brings a machine its work, see guest/run.
func makeJob(ctx context.Context, o options, b boot, dir string, patterns map[choiceKey]string) (string, error) {
	tree := filepath.Join(dir, "job")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return "", err
	}
	files := map[string]string{"run": "tests/vm/guest/run", "test": "tests/vm/guest/test"}
	for _, suite := range suites {
		test := binary(filepath.Dir(dir), suite)
		files[filepath.Base(test)] = test
	}
	path := o.runtime
	if strings.Contains(o.runtime, "/") {
		files["berth"] = o.runtime
		path = "/job/berth"
	}
	for name, source := range files {
		data, err := os.ReadFile(source)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(tree, name), data, 0o755); err != nil {
			return "", err
		}
	}
	texts := map[string]string{
		"runtime": path,
		// Before the machine is ended: what hangs is then told by its goroutines.
		"timeout": (o.limit - time.Minute).String(),
		"modes":   "",
	}
	for _, m := range b.modes {
		texts["modes"] += fmt.Sprintln(m.name, m.user, m.manager)
		for _, suite := range suites {
			if pattern, ok := patterns[choiceKey{m.name, suite}]; ok {
				texts["tests."+m.name+"."+filepath.Base(suite)] = pattern
			}
		}
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	disk := filepath.Join(dir, "job.img")
	return disk, tool(ctx, "mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", tree, disk, "128M")
}
