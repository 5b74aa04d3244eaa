package arch

import (
	"flag"
	"fmt"
	"go/ast"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var update = flag.Bool("update", false, "write docs/spec-coverage.md anew")

const coverage = top + "/docs/spec-coverage.md"

// otherPlatforms are sections whose fields mean nothing on Linux: they stand as a whole.
var otherPlatforms = []string{"solaris", "windows", "vm", "zos", "freebsd"}

// specLine is a line of spec.txt.
type specLine struct {
	fields, tests []string
	what, note    string
}

// TestSpecCoverage: every field of the runtime spec's Go types has a line that says
// what becomes of it and names tests that exist; the document says the same.
func TestSpecCoverage(t *testing.T) {
	lines := readSpec(t)
	fields := leaves(nil, "", reflect.TypeFor[specs.Spec]())
	told := map[string]bool{}
	for _, l := range lines {
		for _, f := range l.fields {
			if told[f] {
				t.Errorf("spec.txt: a second line for %s", f)
			}
			told[f] = true
			if !slices.Contains(fields, f) {
				t.Errorf("spec.txt: the spec has no field %s", f)
			}
		}
	}
	for _, f := range fields {
		if !told[f] {
			t.Errorf("spec.txt: %s is missing: carry it out, or refuse it", f)
		}
	}
	tests := allTests(t)
	for _, l := range lines {
		if len(l.tests) == 0 {
			t.Errorf("spec.txt: no test for %s", l.fields[0])
		}
		for _, name := range l.tests {
			if !tests[name] {
				t.Errorf("spec.txt: there is no test %s", name)
			}
		}
	}
	text := document(lines)
	if *update && !t.Failed() {
		if err := os.WriteFile(coverage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	has, err := os.ReadFile(coverage)
	if err != nil {
		t.Fatal(err)
	}
	if string(has) != text {
		t.Error("docs/spec-coverage.md is not what spec.txt says: run make docs")
	}
}

// leaves appends the JSON paths of the fields below t that hold no further ones.
func leaves(list []string, at string, t reflect.Type) []string {
	for {
		switch t.Kind() {
		case reflect.Pointer:
			t = t.Elem()
			continue
		case reflect.Slice:
			t, at = t.Elem(), at+"[]"
			continue
		case reflect.Map:
			if t.Elem().Kind() == reflect.Struct {
				t, at = t.Elem(), at+".*"
				continue
			}
		}
		break
	}
	if t.Kind() != reflect.Struct || slices.Contains(otherPlatforms, at) {
		return append(list, at)
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && f.Anonymous:
			list = leaves(list, at, f.Type)
		case name == "-":
		default:
			list = leaves(list, strings.TrimPrefix(at+"."+name, "."), f.Type)
		}
	}
	return list
}

func readSpec(t *testing.T) []specLine {
	t.Helper()
	text, err := os.ReadFile("spec.txt")
	if err != nil {
		t.Fatal(err)
	}
	var lines []specLine
	for number, text := range strings.Split(string(text), "\n") {
		text, _, _ = strings.Cut(text, "# ")
		if strings.TrimSpace(strings.Trim(text, "#")) == "" {
			continue
		}
		columns := strings.Split(text, "|")
		if len(columns) != 4 {
			t.Fatalf("spec.txt:%d: want FIELDS | what | notes | TESTS", number+1)
		}
		l := specLine{
			fields: strings.Fields(columns[0]), what: strings.TrimSpace(columns[1]),
			note: strings.TrimSpace(columns[2]), tests: strings.Fields(columns[3]),
		}
		if !slices.Contains([]string{"carried out", "refused", "warned of"}, l.what) {
			t.Fatalf("spec.txt:%d: %q is not carried out, refused or warned of", number+1, l.what)
		}
		lines = append(lines, l)
	}
	return lines
}

// allTests returns the names of all tests, with the last part of their package's path.
func allTests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, s := range sources(t) {
		if !s.test {
			continue
		}
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names[path.Base(s.pkg)+"."+f.Name.Name] = true
			}
		}
	}
	return names
}

// document renders docs/spec-coverage.md.
func document(lines []specLine) string {
	var b strings.Builder
	b.WriteString(`# Coverage of the runtime specification

What becomes of every field of ` + "`config.json`" + ` (OCI runtime specification 1.3.0), and the tests that show it. Nothing is ignored in silence: a field is carried out, refused with an error that names it, or, where it can mean nothing here, warned of (an error with ` + "`--strict`" + `). Fields that the specification does not define are ignored, as it demands, and named with ` + "`--debug`" + `.

This file is generated from [tests/arch/spec.txt](../tests/arch/spec.txt) by ` + "`make docs`" + `; a test compares that with the Go types of the specification.

| field | | notes | tests |
|---|---|---|---|
`)
	for _, l := range lines {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", quoted(l.fields, "<br>"), l.what, l.note, quoted(l.tests, " "))
	}
	return b.String()
}

func quoted(words []string, between string) string {
	return "`" + strings.Join(words, "`"+between+"`") + "`"
}
