package build

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dockerfileCase is one entry of the table.
type dockerfileCase struct {
	name  string
	heads map[string][]string
	// files are the sections in their order, the Dockerfile among them.
	files []contextFile
	want  []string
	// commit is that of project.git, once it is served: what @commit stands for.
	commit string
}

// contextFile is a file of the context.
type contextFile struct {
	path, content, link string
	mode                os.FileMode
	dir                 bool
}

// readCases reads one file of cases.
func readCases(t *testing.T, path string) []dockerfileCase {
	t.Helper()
	raw, err := cases.ReadFile(path)
	must(t, err)
	list, err := parseCases(string(raw))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return list
}

func parseCases(text string) ([]dockerfileCase, error) {
	var cases []dockerfileCase
	var section *strings.Builder
	var head string
	flush := func() error {
		if section == nil {
			return nil
		}
		err := cases[len(cases)-1].add(head, section.String())
		section = nil
		return err
	}
	for i, line := range strings.SplitAfter(text, "\n") {
		switch {
		case strings.HasPrefix(line, "=== "):
			if err := flush(); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			cases = append(cases, dockerfileCase{name: strings.TrimSpace(line[4:]), heads: map[string][]string{}})
		case len(cases) == 0:
			if s := strings.TrimSpace(line); s != "" && s[0] != '#' {
				return nil, fmt.Errorf("line %d: text before the first case", i+1)
			}
		case strings.HasPrefix(line, "--- "):
			if err := flush(); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			head, section = strings.TrimSpace(line[4:]), &strings.Builder{}
		case section != nil:
			section.WriteString(line)
		default:
			key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
			if key == "" || key[0] == '#' {
				continue
			}
			if !ok || !knownHead(key) {
				return nil, fmt.Errorf("line %d: %q is no head", i+1, key)
			}
			c := &cases[len(cases)-1]
			c.heads[key] = append(c.heads[key], strings.TrimSpace(value))
		}
	}
	return cases, flush()
}

func knownHead(key string) bool {
	switch key {
	case "flags", "env", "archive", "needs", "peers", "context", "stdin":
		return true
	}
	return false
}

// add takes a section: the expectation, or a file of the context.
func (c *dockerfileCase) add(head, body string) error {
	if head == "want" {
		for line := range strings.SplitSeq(body, "\n") {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				c.want = append(c.want, line)
			}
		}
		return nil
	}
	f := contextFile{mode: 0o644, content: body}
	if path, target, ok := strings.Cut(head, " -> "); ok {
		f.path, f.link = path, target
		c.files = append(c.files, f)
		return nil
	}
	words := strings.Fields(head)
	f.path = words[0]
	if strings.HasSuffix(f.path, "/") {
		f.dir, f.mode = true, 0o755
	}
	for _, word := range words[1:] {
		var mode uint32
		if _, err := fmt.Sscanf(word, "mode=%o", &mode); err != nil {
			return fmt.Errorf("%q: %q is not mode=OCTAL", head, word)
		}
		f.mode = os.FileMode(mode & 0o777)
		if mode&0o4000 != 0 {
			f.mode |= os.ModeSetuid
		}
	}
	c.files = append(c.files, f)
	return nil
}

// contextTime is the time of all files of a context: none shall get into an image
// by accident.
const contextTime = "2001-02-03T04:05:06Z"

// write makes the context in dir.
func (c *dockerfileCase) write(t *testing.T, dir string) {
	t.Helper()
	for _, f := range c.files {
		path := filepath.Join(dir, f.path)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		switch {
		case f.link != "":
			must(t, os.Symlink(f.link, path))
		case f.dir:
			must(t, os.MkdirAll(path, 0o755))
			must(t, os.Chmod(path, f.mode))
		default:
			must(t, os.WriteFile(path, []byte(f.content), 0o600))
			must(t, os.Chmod(path, f.mode))
		}
	}
	setTimes(t, dir)
	for _, head := range c.heads["archive"] {
		name, from, ok := strings.Cut(head, " from ")
		if !ok {
			t.Fatalf("archive: %q is not NAME from DIR", head)
		}
		pack(t, filepath.Join(dir, name), filepath.Join(dir, from))
		must(t, os.RemoveAll(filepath.Join(dir, from)))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// words splits as a shell does, with single and double quotes and nothing else.
func words(s string) []string {
	var list []string
	var word strings.Builder
	var quote rune
	open := false
	for _, r := range s {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, open = r, true
		case quote == 0 && r == ' ':
			if open {
				list = append(list, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if open {
		list = append(list, word.String())
	}
	return list
}
