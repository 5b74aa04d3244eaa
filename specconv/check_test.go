package specconv

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestPathIn(t *testing.T) {
	for text, want := range map[string]string{
		`process.cwd: missing`: "process.cwd",
		`mount source "/x" of mounts[3]: no such file or directory`:                             "mounts[3]",
		`linux.sysctl["net.ipv4.a]b"]: not the name`:                                            `linux.sysctl["net.ipv4.a]b"]`,
		`config.json:3:5: process.args: expected an array`:                                      "process.args",
		`config.json:1:1: the file is empty, expected an object`:                                "",
		`root.path "x" is a symlink`:                                                            "root.path",
		`linux.uidMappings and linux.gidMappings need a user`:                                   "linux.uidMappings",
		`left out without a mount namespace of the container: linux.maskedPaths, mounts`:        "linux.maskedPaths",
		`process is not processed`:                                                              "process",
		`linuxy roots mountsx`:                                                                  "",
		`cgroup controller "rdma" is not mounted on this host: needed for linux.resources.rdma`: "linux.resources.rdma",
		`root.`:   "root",
		`mounts[`: "mounts",
		``:        "",
	} {
		if got := pathIn(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Every sentence about a field names the field, in the sources of this package.
func TestFaultsHavePaths(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "fault" && sel.Sel.Name != "lack" && sel.Sel.Name != "warn" {
				return true
			}
			lit, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				return true
			}
			format, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			count++
			text := strings.NewReplacer("%s", "linux.x", "%d", "1", "%q", `"linux"`).Replace(format)
			switch {
			case pathIn(text) != "":
			case strings.HasPrefix(text, "bundle ") || strings.HasPrefix(text, "preserve-fds"):
			default:
				t.Errorf("%s: %q names no field", fset.Position(call.Pos()), format)
			}
			return true
		})
	}
	if count < 100 {
		t.Errorf("only %d sentences found", count)
	}
}

func TestCheck(t *testing.T) {
	doc, err := Parse("config.json", []byte(`{"ociVersion": "1.2.0", "typo": 1, "root": {"path": "rootfs"},
		"process": {"args": ["sh"], "cwd": "x", "user": {"username": "u"}, "selinuxLabel": "l"},
		"mounts": [{"destination": "/x", "type": "bind", "source": "/no/where"}],
		"linux": {"namespaces": [{"type": "mount"}, {"type": "user"}], "uidMappings": [{"size": 1}], "gidMappings": [{"size": 1}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if selinuxEnabled() {
		t.Skip("SELinux is enabled")
	}
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/rootfs", 0o755); err != nil {
		t.Fatal(err)
	}
	_, list := Check(doc, Options{ID: "c", Bundle: dir})
	got := map[string]Kind{}
	for _, f := range list {
		got[f.Path] = f.Kind
	}
	for path, kind := range map[string]Kind{
		"process.cwd": Invalid, "mounts[0]": Missing, "process.selinuxLabel": Unsupported, "typo": Ignored, "process.user.username": Ignored,
	} {
		if got[path] != kind {
			t.Errorf("%s is %q", path, got[path])
		}
	}
	if len(list) != 5 {
		t.Errorf("%+v", list)
	}
}

func TestLoadMounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	for text, want := range map[string]string{
		`[{"destination": "/x"}]`:     "",
		`[]`:                          "f: an empty list of mounts",
		`{"destination": "/x"}`:       "f:1:1: expected an array, found an object",
		`[{"destination": 5}]`:        `f:1:18: [0].destination: expected a string, found a number`,
		`[{"destination": "/x"}`:      "f:1:22: unexpected end of JSON input",
		`[{"destination": "\u0000"}]`: `f:1:18: "[0].destination": a NUL byte is not allowed`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadMounts(file)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// A document that is cut off could be another one.
func TestStdinTooLarge(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(maxConfig + 1); err != nil {
		t.Fatal(err)
	}
	defer func(was *os.File) { os.Stdin = was }(os.Stdin)
	os.Stdin = f
	if _, err := LoadResources("-"); err == nil || err.Error() != "read stdin: larger than 16 MiB" {
		t.Error(err)
	}
}
