//go:build cgo

package seccomp

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newCache returns a path for a cache directory that does not exist yet.
func newCache(t testing.TB) string { return filepath.Join(t.TempDir(), "berth", "seccomp") }

func mustCached(t testing.TB, raw, dir string) *Program {
	t.Helper()
	p, err := Cached(json.RawMessage(raw), dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func entryPath(raw, dir string) string {
	key := cacheKey([]byte(raw))
	return filepath.Join(dir, hex.EncodeToString(key[:]))
}

// plant writes an entry for raw that no compiler makes: who gets it back did not
// compile.
func plant(t testing.TB, raw, dir string) *Program {
	t.Helper()
	p := &Program{Filter: encode([]insn{{code: opRet, k: 0x7fff0042}}), Flags: 42, Notes: []string{"planted"}}
	if err := os.WriteFile(entryPath(raw, dir), encodeEntry(cacheKey([]byte(raw)), p), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCacheKeepsAll(t *testing.T) {
	dir := newCache(t)
	cold := mustCached(t, small, dir)
	if !cold.Notify || cold.ListenerPath != "/s" || cold.ListenerMetadata != "m" || len(cold.Notes) != 1 {
		t.Errorf("%+v", cold)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, entryPath(small, dir): 0o600} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, mode)
		}
	}
	if warm := mustCached(t, small, dir); !reflect.DeepEqual(cold, warm) {
		t.Errorf("cold %+v\nwarm %+v", cold, warm)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("%v %v: temp files left", names, err)
	}
}

func TestWarmCacheDoesNotCompile(t *testing.T) {
	dir := newCache(t)
	mustCached(t, small, dir)
	planted := plant(t, small, dir)
	if got := mustCached(t, small, dir); !reflect.DeepEqual(got, planted) {
		t.Errorf("%+v, want what lies in the cache", got)
	}
	// Another profile is another entry, even if only a blank differs.
	if got := mustCached(t, small+" ", dir); got.Flags == 42 {
		t.Error("the entry of another profile was used")
	}
}

// A damaged entry is compiled again and replaced.
func TestDamagedEntry(t *testing.T) {
	dir := newCache(t)
	good := mustCached(t, small, dir)
	path := entryPath(small, dir)
	entry, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := mustReadEntry(t, small+" ", dir)
	flip := func(at int) []byte {
		b := bytes.Clone(entry)
		b[at] ^= 1
		return b
	}
	for name, content := range map[string][]byte{
		"empty":           {},
		"short":           entry[:20],
		"header only":     entry[:entryHeader],
		"one byte less":   entry[:len(entry)-1],
		"one byte more":   append(bytes.Clone(entry), 0),
		"magic":           flip(0),
		"sum":             flip(len(entryMagic)),
		"flags":           flip(entryHeader),
		"filter":          flip(entryHeader + 40),
		"last byte":       flip(len(entry) - 1),
		"another's entry": other,
		"huge":            make([]byte, maxEntry+1),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		got := mustCached(t, small, dir)
		if !bytes.Equal(got.Filter, good.Filter) || got.Flags != good.Flags {
			t.Errorf("%s: another program", name)
		}
		if last := got.Notes[len(got.Notes)-1]; !strings.HasSuffix(last, "damaged, compiled again") {
			t.Errorf("%s: note %q", name, last)
		}
		if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, entry) {
			t.Errorf("%s: entry not replaced: %v", name, err)
		}
	}
}

func mustReadEntry(t *testing.T, raw, dir string) []byte {
	t.Helper()
	mustCached(t, raw, dir)
	b, err := os.ReadFile(entryPath(raw, dir))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A directory or entry that others could have written is neither read nor
// written, and the container starts all the same.
func TestUntrustedCache(t *testing.T) {
	chown := func(path string) func(t *testing.T) {
		return func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("chown needs root")
			}
			if err := os.Lchown(path, 12345, 12345); err != nil {
				t.Fatal(err)
			}
		}
	}
	chmod := func(path string, mode os.FileMode) func(t *testing.T) {
		return func(t *testing.T) {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	swap := func(path string) func(t *testing.T) {
		return func(t *testing.T) {
			if err := os.Rename(path, path+".real"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(path+".real", path); err != nil {
				t.Fatal(err)
			}
		}
	}
	fifo := func(path string) func(t *testing.T) {
		return func(t *testing.T) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := func(path string) func(t *testing.T) {
		return func(t *testing.T) {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		name  string
		spoil func(dir, entry string) func(*testing.T)
		note  string
	}{
		{"directory group-writable", func(dir, _ string) func(*testing.T) { return chmod(dir, 0o770) }, "lets others write"},
		{"directory world-writable", func(dir, _ string) func(*testing.T) { return chmod(dir, 0o1777) }, "lets others write"},
		{"directory of another uid", func(dir, _ string) func(*testing.T) { return chown(dir) }, "belongs to uid 12345"},
		{"directory a symlink", func(dir, _ string) func(*testing.T) { return swap(dir) }, "open: "},
		{"directory a file", func(dir, _ string) func(*testing.T) { return file(dir) }, "open: not a directory"},
		{"entry group-writable", func(_, entry string) func(*testing.T) { return chmod(entry, 0o660) }, "lets others write"},
		{"entry of another uid", func(_, entry string) func(*testing.T) { return chown(entry) }, "belongs to uid 12345"},
		{"entry a symlink", func(_, entry string) func(*testing.T) { return swap(entry) }, "open entry: too many levels of symbolic links"},
		{"entry a fifo", func(_, entry string) func(*testing.T) { return fifo(entry) }, "of another file type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := newCache(t)
			want := mustCached(t, small, dir)
			plant(t, small, dir)
			test.spoil(dir, entryPath(small, dir))(t)
			got := mustCached(t, small, dir)
			if !bytes.Equal(got.Filter, want.Filter) {
				t.Error("the planted entry was used")
			}
			if last := got.Notes[len(got.Notes)-1]; !strings.Contains(last, test.note) {
				t.Errorf("note %q, want %q", last, test.note)
			}
			if !strings.HasPrefix(test.name, "directory") {
				return
			}
			// Nothing new was written there.
			if names, err := os.ReadDir(dir); err == nil && len(names) > 1 {
				t.Errorf("%v", names)
			}
		})
	}
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	got := mustCached(t, small, "/proc/self/nosuch/cache")
	if len(got.Filter) == 0 || !strings.HasPrefix(got.Notes[len(got.Notes)-1], "seccomp cache /proc/self/nosuch/cache: ") {
		t.Errorf("%q", got.Notes)
	}
	if os.Geteuid() == 0 {
		return
	}
	dir := filepath.Join(t.TempDir(), "readonly")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if got := mustCached(t, small, dir); len(got.Filter) == 0 || !strings.Contains(got.Notes[len(got.Notes)-1], "permission denied") {
		t.Errorf("%q", got.Notes)
	}
}

func TestNoCache(t *testing.T) {
	if p := mustCached(t, small, ""); len(p.Filter) == 0 || len(p.Notes) != 1 {
		t.Errorf("%+v", p)
	}
	dir := newCache(t)
	for _, raw := range []string{"", "null", "{}"} {
		if p := mustCached(t, raw, dir); len(p.Filter) != 0 {
			t.Errorf("%q: %d bytes", raw, len(p.Filter))
		}
	}
	if _, err := Cached(json.RawMessage(`{"defaultAction": "NO"}`), dir); err == nil {
		t.Error("a bad profile was accepted")
	}
	if names, err := os.ReadDir(dir); err == nil && len(names) != 0 {
		t.Errorf("%v: nothing to keep", names)
	}
}

// Many writers and readers of the same profiles: each gets the right program,
// whatever the others do.
func TestConcurrentUse(t *testing.T) {
	dir := newCache(t)
	var want [4]*Program
	var raws [4]string
	for i := range raws {
		raws[i] = fmt.Sprintf(`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": %d, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`, i+1)
		want[i] = mustCached(t, raws[i], "")
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for round := range 50 {
				i := (worker + round) % len(raws)
				got, err := Cached(json.RawMessage(raws[i]), dir)
				if err != nil {
					t.Error(err)
				} else if !reflect.DeepEqual(got, want[i]) {
					t.Errorf("worker %d round %d: %+v", worker, round, got)
				}
				if round%10 == worker {
					_ = os.Remove(entryPath(raws[i], dir)) // another worker may have
				}
			}
		})
	}
	wg.Wait()
	names, err := os.ReadDir(dir)
	if err != nil || len(names) > len(raws) {
		t.Errorf("%v %v: temp files left", names, err)
	}
}

func TestEviction(t *testing.T) {
	dir := newCache(t)
	mustCached(t, small, dir)
	old := time.Now().Add(-time.Hour)
	name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("%064x", i)) }
	for i := range maxEntries + 50 {
		if err := os.WriteFile(name(i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := old.Add(time.Duration(i) * time.Second)
		if err := os.Chtimes(name(i), at, at); err != nil {
			t.Fatal(err)
		}
	}
	stale, fresh, stranger := tempPrefix+"1-a-1", tempPrefix+"2-b-1", "README"
	for _, n := range []string{stale, fresh, stranger} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dead := time.Now().Add(-2 * tempAge)
	for _, n := range []string{stale, stranger} {
		if err := os.Chtimes(filepath.Join(dir, n), dead, dead); err != nil {
			t.Fatal(err)
		}
	}
	mustCached(t, small, dir)
	if exists(t, filepath.Join(dir, stale)) == false || exists(t, name(0)) == false {
		t.Error("a warm cache evicts")
	}
	mustCached(t, small+" ", dir)
	for path, want := range map[string]bool{
		entryPath(small, dir): true, entryPath(small+" ", dir): true,
		name(0): false, name(51): false, name(52): true, name(maxEntries + 49): true,
		filepath.Join(dir, stale): false, filepath.Join(dir, fresh): true, filepath.Join(dir, stranger): true,
	} {
		if got := exists(t, path); got != want {
			t.Errorf("%s: exists %v", filepath.Base(path), got)
		}
	}
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	return err == nil
}

func BenchmarkCompile(b *testing.B) {
	_, raw := dockerProfile(b)
	for _, level := range []struct {
		name string
		n    int
	}{{"linear", linear}, {"tree", tree}} {
		b.Run(level.name, func(b *testing.B) {
			profile, _ := dockerProfile(b)
			for b.Loop() {
				p, err := newPolicy(profile)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := p.assemble(level.n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			mustCached(b, string(raw), "")
		}
	})
	b.Run("warm", func(b *testing.B) {
		dir := newCache(b)
		mustCached(b, string(raw), dir)
		for b.Loop() {
			if _, err := Cached(raw, dir); err != nil {
				b.Fatal(err)
			}
		}
	})
}
