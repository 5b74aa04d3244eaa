package arch

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// doors are the packages that may have an init function, with the reason.
var doors = map[string]string{
	"libcontainer/boot": "the init stage is dispatched before main, and before the packages the verbs need",
	"tests/harness":     "a test binary is its own probe and outside roles",
}

// linknames are the packages that may use go:linkname, with the reason.
var linknames = map[string]string{
	"nsenter":        "the runtime's fork hooks, which syscall.forkExec calls as well",
	"nsenter/first":  "what package syscall remembers of RLIMIT_NOFILE",
	"internal/linux": "os.Args is not there yet when the init stage starts",
}

// largeMap is how many entries a map in a package variable may have: it is built at
// every start of every verb. A switch, or a slice of structs, costs nothing.
const largeMap = 8

// TestUnsafe: what may break Go's memory safety is found by file name.
func TestUnsafe(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || strings.HasSuffix(s.path, "_unsafe.go") || strings.HasPrefix(s.pkg, "tests/") {
			continue
		}
		for _, name := range s.imports {
			if name == "unsafe" {
				t.Errorf("%s: imports unsafe; it belongs in a file named *_unsafe.go", s.path)
			}
		}
	}
}

// TestLinkname: what leans on Go's internals is in few places.
func TestLinkname(t *testing.T) {
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			for _, comment := range group.List {
				if strings.HasPrefix(comment.Text, "//go:linkname ") && linknames[s.pkg] == "" {
					t.Errorf("%s: go:linkname is for nsenter and internal/linux", s.at(comment.Pos()))
				}
			}
		}
	}
}

// TestInits: what runs before main costs every verb and cannot fail in an orderly way.
func TestInits(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, decl := range s.file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if ok && function.Recv == nil && function.Name.Name == "init" && doors[s.pkg] == "" {
				t.Errorf("%s: init function: only the doors of a stage may have one", s.at(function.Pos()))
			}
		}
	}
}

// TestPackageVariables: no regular expressions and large maps built at every start.
func TestPackageVariables(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.pkg, "tests/") {
			continue
		}
		for _, decl := range s.file.Decls {
			variables, ok := decl.(*ast.GenDecl)
			if !ok || variables.Tok != token.VAR {
				continue
			}
			for _, spec := range variables.Specs {
				values, ok := spec.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for _, value := range values.Values {
					checkValue(t, s, value)
				}
			}
		}
	}
}

func checkValue(t *testing.T, s source, value ast.Expr) {
	t.Helper()
	ast.Inspect(value, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncLit:
			// It runs when it is called, as in sync.OnceValue(func() …).
			return false
		case *ast.CompositeLit:
			if _, isMap := node.Type.(*ast.MapType); isMap && len(node.Elts) > largeMap {
				t.Errorf("%s: a map of %d entries in a package variable; use a switch or a slice", s.at(node.Pos()), len(node.Elts))
			}
		case *ast.CallExpr:
			selector, ok := node.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "regexp" {
				t.Errorf("%s: a regular expression in a package variable; use sync.OnceValue", s.at(node.Pos()))
			}
		}
		return true
	})
}
