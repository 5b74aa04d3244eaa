package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func store(t *testing.T) Store {
	t.Helper()
	return Store{Root: filepath.Join(t.TempDir(), "root")}
}

// create makes a container with a saved state and leaves it unlocked.
func create(t *testing.T, s Store, id string) *Dir {
	t.Helper()
	d, err := s.Create(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Save(&State{ID: id, PID: 1}); err != nil {
		t.Fatal(err)
	}
	closeDir(t, d)
	if d, err = s.Open(id); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDir(t, d) })
	return d
}

func notFrozen(*State) bool { return false }

func closeDir(t testing.TB, d *Dir) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Mode()
}

func TestSaveAndLoad(t *testing.T) {
	s := store(t)
	d, err := s.Create("web")
	if err != nil {
		t.Fatal(err)
	}
	defer closeDir(t, d)
	want := State{ID: "web", Bundle: "/b", Created: time.Unix(5, 6).UTC(), Annotations: map[string]string{"a": "b"}}
	if err := d.Save(&want); err != nil {
		t.Fatal(err)
	}
	want.PID, want.StartTime = 7, 8
	if err := errors.Join(d.Save(&want), d.SaveConfig([]byte("{}"))); err != nil {
		t.Fatal(err)
	}
	got, err := d.Load()
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(*got) != fmt.Sprint(want) || got.Version != Version {
		t.Errorf("got %+v, want %+v", *got, want)
	}
	if raw, err := d.LoadConfig(); err != nil || string(raw) != "{}" {
		t.Errorf("config %q, %v", raw, err)
	}
	for path, m := range map[string]os.FileMode{
		s.Root: os.ModeDir | 0o711, d.Path: os.ModeDir | 0o711,
		d.Path + "/state.json": 0o600, d.Path + "/config.json": 0o600,
	} {
		if got := mode(t, path); got != m {
			t.Errorf("%s has mode %v, want %v", path, got, m)
		}
	}
	if files, err := filepath.Glob(d.Path + "/.*"); err != nil || len(files) != 0 {
		t.Errorf("left over: %v %v", files, err)
	}
}

func TestStickyRoot(t *testing.T) {
	s := Store{Root: filepath.Join(t.TempDir(), "a", "b"), Sticky: true}
	create(t, s, "c")
	if got := mode(t, s.Root); got != os.ModeDir|os.ModeSticky|0o700 {
		t.Errorf("root has mode %v", got)
	}
}

func TestOneCreateWins(t *testing.T) {
	s := store(t)
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			d, err := s.Create("web")
			switch {
			case err == nil:
				won.Add(1)
				closeDir(t, d)
			case !errors.Is(err, ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d creates succeeded", won.Load())
	}
}

// A directory is created and removed from all sides at once: at any moment at
// most one Dir is locked and has its name.
func TestCreateRacesRemove(t *testing.T) {
	s := store(t)
	var holders, made atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				d, err := s.Create("web")
				if errors.Is(err, ErrExist) {
					if d, err = s.Open("web"); err == nil {
						if err = d.Lock(); err != nil {
							closeDir(t, d)
						}
					}
				} else if err == nil {
					made.Add(1)
				}
				if errors.Is(err, ErrNotExist) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d holders of one lock", n)
				}
				err = d.Save(&State{ID: "web"})
				holders.Add(-1) // once the name is gone, the next one may hold it
				if err := errors.Join(err, d.Remove()); err != nil {
					t.Error(err)
				}
				closeDir(t, d)
			}
		})
	}
	wg.Wait()
	if made.Load() == 0 {
		t.Error("nothing was created")
	}
	if _, err := s.Open("web"); !errors.Is(err, ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestNames(t *testing.T) {
	s := store(t)
	create(t, s, "web")
	for _, id := range []string{"", ".", "..", "a/b", "../root/web", "web/", "@mounts", "a\x00"} {
		if _, err := s.Open(id); !errors.Is(err, ErrInvalidID) {
			t.Errorf("open %q: %v", id, err)
		}
		if _, err := s.Create(id); !errors.Is(err, ErrInvalidID) {
			t.Errorf("create %q: %v", id, err)
		}
	}
	if err := os.Symlink("web", s.Root+"/link"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open("link"); err == nil {
		t.Error("opened a symbolic link")
	}
}

func TestCheckRoot(t *testing.T) {
	for root, ok := range map[string]bool{"": false, "/": false, "//": false, "/.": false, "/..": false, "run": false, "/run/berth": true, "/r": true} {
		if err := CheckRoot(root); (err == nil) != ok {
			t.Errorf("root %q: %v", root, err)
		}
	}
}

func TestLock(t *testing.T) {
	s := store(t)
	a := create(t, s, "web")
	b, err := s.Open("web")
	if err != nil {
		t.Fatal(err)
	}
	defer closeDir(t, b)
	if err := a.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := b.LockFor(0); !errors.Is(err, ErrBusy) {
		t.Errorf("second lock: %v", err)
	}
	locked := make(chan error)
	go func() { locked <- b.Lock() }()
	if err := a.Remove(); err != nil {
		t.Fatal(err)
	}
	closeDir(t, a)
	if err := <-locked; !errors.Is(err, ErrNotExist) {
		t.Errorf("lock of a removed container: %v", err)
	}
	if _, err := s.Open("web"); !errors.Is(err, ErrNotExist) {
		t.Errorf("open of a removed container: %v", err)
	}
	if _, err := (Store{Root: s.Root + "/none"}).Open("web"); !errors.Is(err, ErrNotExist) {
		t.Errorf("open without a root: %v", err)
	}
}

// What a killed berth leaves behind can be opened, locked and removed.
func TestLeftovers(t *testing.T) {
	newer, err := json.Marshal(map[string]any{"version": Version + 1, "id": "newer"})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty": "", "cut": `{"version":1,"id":"cu`, "foreign": `{"init_process_pid":5}`, "array": "[]",
		"none": "", "newer": string(newer), "types": `{"version":1,"id":5}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := store(t)
			d, err := s.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			defer closeDir(t, d)
			if name != "none" {
				err = os.WriteFile(d.Path+"/"+StateFile, []byte(content), 0o600)
			}
			for _, dir := range []string{"/sub", "/sub/sub"} {
				err = errors.Join(err, os.Mkdir(d.Path+dir, 0o755), os.WriteFile(d.Path+dir+"/f", nil, 0o600))
			}
			if err := errors.Join(err, os.Symlink("/", d.Path+"/rootlink")); err != nil {
				t.Fatal(err)
			}
			_, err = d.Load()
			var incomplete *IncompleteError
			if name == "newer" {
				if err == nil || errors.Is(err, ErrNotExist) || !strings.Contains(err.Error(), "version 2 is newer than 1") {
					t.Errorf("load: %v", err)
				}
			} else if !errors.As(err, &incomplete) || !errors.Is(err, ErrNotExist) {
				t.Errorf("load: %v", err)
			}
			entries, skipped, err := s.List(notFrozen)
			if len(entries) != 0 || err != nil || (len(skipped) != 0) != (name == "newer") {
				t.Errorf("list: %v, %v, %v", entries, skipped, err)
			}
			if _, err := s.Create(name); !errors.Is(err, ErrExist) {
				t.Errorf("create: %v", err)
			}
			if err := errors.Join(d.Remove(), d.Remove()); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(d.Path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("still there: %v", err)
			}
		})
	}
}

// More containers than one thread takes, each in its place.
func TestListMany(t *testing.T) {
	s := store(t)
	for i := range 300 {
		d, err := s.Create(fmt.Sprintf("c%03d", i))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Save(&State{ID: d.ID, Owner: i}); err != nil {
			t.Fatal(err)
		}
		closeDir(t, d)
	}
	entries, skipped, err := s.List(notFrozen)
	if err != nil || len(skipped) != 0 || len(entries) != 300 {
		t.Fatal(len(entries), skipped, err)
	}
	for i, e := range entries {
		if e.Owner != i || e.Status != Creating {
			t.Errorf("%d is %s of %d, %s", i, e.ID, e.Owner, e.Status)
		}
	}
}

func TestList(t *testing.T) {
	s := store(t)
	if entries, skipped, err := s.List(notFrozen); len(entries)+len(skipped) != 0 || err != nil {
		t.Errorf("without a root: %v, %v, %v", entries, skipped, err)
	}
	for _, id := range []string{"b", ".a", "c"} {
		d := create(t, s, id)
		if id == "c" {
			if err := os.WriteFile(d.Path+"/"+StartSocket, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(os.Mkdir(s.Root+"/dir", 0o700), os.WriteFile(s.Root+"/file", nil, 0o600),
		os.Rename(s.Root+"/b", s.Root+"/moved")); err != nil {
		t.Fatal(err)
	}
	create(t, s, "b")
	start, err := StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"e", "d"} {
		d := create(t, s, id)
		if err := errors.Join(d.Lock(), d.Save(&State{ID: id, PID: os.Getpid(), StartTime: start})); err != nil {
			t.Fatal(err)
		}
		if id == "d" {
			if err := os.WriteFile(d.Path+"/"+StartSocket, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, skipped, err := s.List(notFrozen)
	if err != nil || len(skipped) != 0 {
		t.Fatal(skipped, err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.ID+" "+string(e.Status))
	}
	if fmt.Sprint(got) != "[.a stopped b stopped c stopped d created e running]" {
		t.Errorf("got %v", got)
	}
}

func BenchmarkList1000(b *testing.B) {
	s := Store{Root: b.TempDir()}
	self, err := StartTime(os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		d, err := s.Create(fmt.Sprint("c", i))
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Save(&State{ID: d.ID, PID: os.Getpid(), StartTime: self}); err != nil {
			b.Fatal(err)
		}
		closeDir(b, d)
	}
	for b.Loop() {
		entries, skipped, err := s.List(notFrozen)
		if err != nil || len(entries) != 1000 || len(skipped) != 0 || entries[999].Status != Running {
			b.Fatal(len(entries), skipped, err)
		}
	}
}
