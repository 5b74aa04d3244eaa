package arch

import (
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
)

// insideStd is what of the standard library the init stage may import: what syscall
// imports itself, and so what is initialised before it anyway.
var insideStd = []string{"errors", "runtime", "strconv", "sync/atomic", "syscall", "unsafe"}

// heavy is what no package of the program may import: the init of each costs every
// verb, or it brings a second way to do what berth does in one place.
var heavy = []string{
	"crypto/tls", "encoding/gob", "expvar", "go/ast", "html/template", "log", "log/slog",
	"net/http", "net/rpc", "os/user", "plugin", "testing", "text/template",
}

// row is a line of imports.txt.
type row struct {
	kind    string // inside, parent, image or tests
	allowed []string
}

// table is imports.txt.
type table struct {
	rows map[string]row
	// homes are the packages that may import a module of somebody else; @parent,
	// @image and @tests stand for all packages of the kind.
	homes map[string][]string
}

func readTable(t *testing.T) table {
	t.Helper()
	text, err := os.ReadFile("imports.txt")
	if err != nil {
		t.Fatal(err)
	}
	read := table{rows: map[string]row{}, homes: map[string][]string{}}
	for number, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) < 2 {
			t.Fatalf("imports.txt:%d: want KIND PACKAGE IMPORTS, or home MODULE PACKAGES", number+1)
		}
		switch words[0] {
		case "home":
			read.homes[words[1]] = words[2:]
		case "inside", "parent", "image", "tests":
			read.rows[words[1]] = row{kind: words[0], allowed: words[2:]}
		default:
			t.Fatalf("imports.txt:%d: %q is no kind of package", number+1, words[0])
		}
	}
	return read
}

// TestImports compares the import table with the sources.
func TestImports(t *testing.T) {
	table := readTable(t)
	used := map[string]map[string]bool{}
	homesUsed := map[string]bool{}
	for _, s := range sources(t) {
		if used[s.pkg] == nil {
			used[s.pkg] = map[string]bool{}
		}
		if s.test {
			continue
		}
		for _, name := range s.imports {
			switch {
			case name == module || strings.HasPrefix(name, module+"/"):
				used[s.pkg][strings.TrimPrefix(name, module+"/")] = true
			case name == "C":
				t.Errorf("%s: imports C: berth has no cgo of its own", s.path)
			case strings.Contains(strings.SplitN(name, "/", 2)[0], "."):
				home := table.homeOf(name)
				homesUsed[home+" "+s.pkg] = true
				if !slices.Contains(table.homes[home], s.pkg) && !slices.Contains(table.homes[home], "@"+table.rows[s.pkg].kind) {
					t.Errorf("%s: imports %s, whose home is %s (imports.txt)", s.path, name, strings.Join(table.homes[home], ", "))
				}
			default:
				checkStandard(t, table.rows[s.pkg].kind, s, name)
			}
		}
	}
	for pkg, imports := range used {
		row, known := table.rows[pkg]
		if !known {
			t.Errorf("imports.txt: package %s is missing; its line would be\n%s", pkg, line(kindOf(pkg), pkg, imports))
			continue
		}
		for name := range imports {
			if !slices.Contains(row.allowed, name) {
				t.Errorf("%s may not import %s/%s (imports.txt)", pkg, module, name)
			}
		}
		for _, name := range row.allowed {
			if !imports[name] {
				t.Errorf("imports.txt: %s does not import %s any more: its line is\n%s", pkg, name, line(row.kind, pkg, imports))
			}
		}
		switch row.kind {
		case "inside":
			checkInside(t, table, pkg, row)
		case "parent":
			checkParent(t, table, pkg, row)
		}
	}
	for pkg := range table.rows {
		if used[pkg] == nil {
			t.Errorf("imports.txt: there is no package %s", pkg)
		}
	}
	for home, pkgs := range table.homes {
		for _, pkg := range pkgs {
			if !strings.HasPrefix(pkg, "@") && !homesUsed[home+" "+pkg] {
				t.Errorf("imports.txt: %s does not import %s any more", pkg, home)
			}
		}
	}
}

// homeOf is the longest module or package of the table that holds name.
func (t table) homeOf(name string) string {
	best := ""
	for home := range t.homes {
		if (name == home || strings.HasPrefix(name, home+"/")) && len(home) > len(best) {
			best = home
		}
	}
	return best
}

// kindOf is what a package that is not in the table is by its place.
func kindOf(pkg string) string {
	switch top, _, _ := strings.Cut(pkg, "/"); top {
	case "image", "tests":
		return top
	}
	return "parent"
}

func checkStandard(t *testing.T, kind string, s source, name string) {
	t.Helper()
	switch kind {
	case "inside":
		if !slices.Contains(insideStd, name) {
			t.Errorf("%s: imports %s; what runs in the init stage may import %s", s.path, name, strings.Join(insideStd, ", "))
		}
	case "parent":
		if slices.Contains(heavy, name) {
			t.Errorf("%s: imports %s, which every verb would pay for", s.path, name)
		}
	}
}

// checkInside: what the inside imports is inside.
func checkInside(t *testing.T, table table, pkg string, row row) {
	t.Helper()
	for _, name := range row.allowed {
		if table.rows[name].kind != "inside" {
			t.Errorf("imports.txt: %s is inside and may import only what is inside, not %s", pkg, name)
		}
	}
}

// checkParent: the runtime does not link the image side, which is a program of its own.
func checkParent(t *testing.T, table table, pkg string, row row) {
	t.Helper()
	for _, name := range row.allowed {
		if table.rows[name].kind == "image" {
			t.Errorf("imports.txt: %s is the runtime's and may not import %s of the image side", pkg, name)
		}
	}
}

func line(kind, pkg string, imports map[string]bool) string {
	names := make([]string, 0, len(imports))
	for name := range imports {
		names = append(names, name)
	}
	sort.Strings(names)
	return fmt.Sprintf("%-7s %-22s %s", kind, pkg, strings.Join(names, " "))
}
