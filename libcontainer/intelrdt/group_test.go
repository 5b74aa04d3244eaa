package intelrdt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A plain directory stands for resctrl: what the kernel puts into a new group the
// tests put there. What the kernel does with it only a host with RDT can show.

func root(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	group(t, dir, "    L3:0=fff;1=fff\n    MB:0=100;1=100\n")
	return dir
}

func group(t *testing.T, dir, schemata string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "mon_groups"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "schemata"), schemata)
	write(t, filepath.Join(dir, "tasks"), "")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestPlace(t *testing.T) {
	for _, test := range []struct {
		c    Config
		want Group
	}{
		{Config{ID: "c"}, Group{Path: "/r/c", Own: true}},
		{Config{ID: "c", ClosID: "gold"}, Group{Path: "/r/gold"}},
		{Config{ID: "c", ClosID: "/"}, Group{Path: "/r"}},
		{Config{ID: "c", ClosID: "/", Monitoring: true}, Group{Path: "/r", Monitor: "/r/mon_groups/c"}},
		{Config{ID: "c", ClosID: "gold", Monitoring: true}, Group{Path: "/r/gold", Monitor: "/r/gold/mon_groups/c"}},
	} {
		if got := New("/r", &test.c); *got != test.want {
			t.Errorf("%+v: %+v, want %+v", test.c, *got, test.want)
		}
	}
}

// A group of the container's own comes and goes with it.
func TestOwn(t *testing.T) {
	dir := root(t)
	c := &Config{ID: "c"}
	g := New(dir, c)
	if _, err := g.Make(c); err != nil {
		t.Fatal(err)
	}
	if !exists(dir + "/c") {
		t.Fatal("no group")
	}
	if _, err := New(dir, c).Make(c); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second one: %v", err)
	}
	if err := g.Remove(); err != nil || exists(dir+"/c") {
		t.Errorf("removed: %v, %v", err, exists(dir+"/c"))
	}
	if err := g.Remove(); err != nil {
		t.Errorf("removed twice: %v", err)
	}
}

// The first new group of a kind gets the lines in the order of the spec.
func TestSchemata(t *testing.T) {
	dir := root(t)
	c := &Config{ID: "c", MemBwSchema: "MB:0=20", L3CacheSchema: "L3:0=f", Schemata: []string{"L2:0=3", "L3:0=ff"}}
	g := New(dir, c)
	group(t, g.Path, "")
	if err := g.write(c.lines()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, g.Path+"/schemata"); got != "L3:0=f\nMB:0=20\nL2:0=3\nL3:0=ff\n" {
		t.Errorf("%q", got)
	}
}

// When the kernel refuses the lines nothing is left, and its reason is told.
func TestRefusedSchemata(t *testing.T) {
	dir := root(t)
	if err := os.Mkdir(dir+"/info", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/info/last_cmd_status", "Mask f0f has non-consecutive 1-bits\n")
	c := &Config{ID: "c", ClosID: "gold", Schemata: []string{"L3:0=f0f"}, Monitoring: true}
	_, err := New(dir, c).Make(c) // a plain directory has no schemata
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "(Mask f0f has non-consecutive 1-bits)") {
		t.Error(err)
	}
	if exists(dir + "/gold") {
		t.Error("gold is left")
	}
}

// A named group that exists is used as it is, or refused.
func TestNamed(t *testing.T) {
	dir := root(t)
	group(t, dir+"/gold", "    L3:0=0f0;1=00F\n    MB:0= 20;1=100\n")
	for _, test := range []struct {
		c    Config
		says string
	}{
		{Config{ClosID: "gold"}, ""},
		{Config{ClosID: "/"}, ""},
		{Config{ClosID: "/", Schemata: []string{"L3:0=0fff"}}, ""},
		{Config{ClosID: "gold", L3CacheSchema: "L3:0=f0;1=f", MemBwSchema: "MB:0=20"}, ""},
		{Config{ClosID: "gold", Schemata: []string{"L3:1=f"}}, ""},
		{Config{ClosID: "gold", L3CacheSchema: "L3:0=f1"}, `linux.intelRdt: "L3:0=f1" does not match`},
		{Config{ClosID: "gold", MemBwSchema: "MB:2=20"}, `does not match`},
		{Config{ClosID: "/", MemBwSchema: "MB:0=50"}, `does not match`},
		{Config{ClosID: "silver"}, "no such file or directory"},
	} {
		test.c.ID = "c"
		g := New(dir, &test.c)
		_, err := g.Make(&test.c)
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%+v: %v", test.c, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%+v: %v, want %s", test.c, err, test.says)
		}
		if err := g.Remove(); err != nil || !exists(g.Path) && test.c.ClosID != "silver" {
			t.Errorf("%+v: removed: %v", test.c, err)
		}
	}
}

func TestMonitoring(t *testing.T) {
	dir := root(t)
	group(t, dir+"/gold", "")
	c := &Config{ID: "c", ClosID: "gold", Monitoring: true}
	g := New(dir, c)
	undo, err := g.Make(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Join(42); err == nil {
		t.Error("joined a monitoring group without tasks")
	}
	write(t, g.Monitor+"/tasks", "")
	if err := g.Join(42); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir + "/gold/tasks", dir + "/gold/mon_groups/c/tasks"} {
		if got := read(t, path); got != "42" {
			t.Errorf("%s: %q", path, got)
		}
	}
	// The number of them is bounded.
	if _, err := New(dir, c).Make(c); err == nil || !strings.HasPrefix(err.Error(), "linux.intelRdt.enableMonitoring: ") {
		t.Errorf("a second one: %v", err)
	}
	if !exists(g.Monitor) {
		t.Error("the refused one took the first one's group away")
	}
	if err := os.Remove(g.Monitor + "/tasks"); err != nil {
		t.Fatal(err)
	}
	if err := undo(); err != nil || exists(g.Monitor) || !exists(g.Path) {
		t.Errorf("undone: %v", err)
	}
	var none *Group
	if none.Join(1) != nil || none.Remove() != nil {
		t.Error("no group")
	}
}

func TestFind(t *testing.T) {
	dir, err := Find()
	if err == nil {
		t.Skipf("resctrl is mounted on %s", dir)
	}
	if !errors.Is(err, errNotMounted) {
		t.Error(err)
	}
}

// An update changes the resources it names, and can be taken back.
func TestUpdate(t *testing.T) {
	dir := root(t)
	g := New(dir, &Config{ClosID: "/"})
	file := filepath.Join(dir, "schemata")
	before := read(t, file)
	undo, err := g.Update("L3:0=00f;1=0f0", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); !strings.HasPrefix(got, "L3:0=00f;1=0f0\n") {
		t.Errorf("schemata: %q", got)
	}
	write(t, file, before)
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); !strings.HasPrefix(got, "L3:0=fff;1=fff\n") || strings.Contains(got[:15], "MB") {
		t.Errorf("put back: %q", got)
	}
	if got := resourceLines(before, []string{"MB:0=50", "L3:1=1"}); len(got) != 2 {
		t.Errorf("lines of both: %q", got)
	}
	if _, err := New(dir, &Config{ClosID: "none"}).Update("L3:0=1", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a group that is gone: %v", err)
	}
}
