package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "berth"
	top    = "../.."
)

// source is one Go file of the module.
type source struct {
	path    string // relative to the top
	pkg     string // the directory, "." for the top
	test    bool
	file    *ast.File
	set     *token.FileSet
	imports []string
}

// sources parses every Go file of the module, whatever its build constraints, so
// that a rule holds for every architecture and with and without cgo.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != top && (name == "testdata" || name == "bin" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		s, err := parse(path)
		if err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	return all
}

func parse(path string) (source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return source{}, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	relative, err := filepath.Rel(top, path)
	if err != nil {
		return source{}, err
	}
	s := source{
		path: relative, pkg: filepath.Dir(relative), file: file, set: set,
		test: strings.HasSuffix(path, "_test.go"),
	}
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, err
		}
		if name == "unsafe" && spec.Name != nil && spec.Name.Name == "_" {
			// It only switches go:linkname on, which has a rule of its own.
			continue
		}
		s.imports = append(s.imports, name)
	}
	return s, nil
}

// at is a place in a source for a message.
func (s source) at(pos token.Pos) string {
	return s.path + ":" + strconv.Itoa(s.set.Position(pos).Line)
}
