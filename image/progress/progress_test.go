package progress

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// capture runs a display on a pipe and returns what it wrote.
func capture(t *testing.T, mode Mode, use func(*Display)) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string)
	go func() {
		raw, _ := io.ReadAll(r) // it ends with the pipe
		out <- string(raw)
	}()
	d := New(w, mode)
	use(d)
	d.Close()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return <-out
}

func threeTasks(d *Display) {
	a := d.Task("sha256:aa", "aaaaaaaaaaaa", 1000)
	b := d.Task("sha256:bb", "bbbbbbbbbbbb", 2000)
	c := d.Task("sha256:cc", "cccccccccccc", 0)
	a.Phase("downloading")
	a.Add(600)
	d.Print("registry x: 503; trying again")
	a.Add(400)
	a.Phase("unpacking")
	a.Done("")
	b.Done("exists")
	c.Phase("downloading")
	c.Fail(errors.New("get blob: \x1b[31mno\nsuch"))
	c.Done("late") // a task ends once
}

func TestPlain(t *testing.T) {
	out := capture(t, Plain, threeTasks)
	want := []string{
		"aaaaaaaaaaaa: downloading 1.0 kB",
		"registry x: 503; trying again",
		"aaaaaaaaaaaa: unpacking 1.0 kB",
		"aaaaaaaaaaaa: done, 1.0 kB in 0.0s",
		"bbbbbbbbbbbb: exists, 2.0 kB in 0.0s",
		"cccccccccccc: downloading",
		"cccccccccccc: failed: get blob: [31mno such",
		"",
	}
	if out != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", out, strings.Join(want, "\n"))
	}
}

func TestJSON(t *testing.T) {
	out := capture(t, JSON, threeTasks)
	last := map[string]Event{}
	var messages []string
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		var e Event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		if _, err := time.Parse(time.RFC3339, e.Time); err != nil {
			t.Error(err)
		}
		if e.Message != "" {
			messages = append(messages, e.Message)
		}
		last[e.ID] = e
	}
	if e := last["sha256:aa"]; e.Phase != "done" || !e.Ended || e.Current != 1000 || e.Total != 1000 {
		t.Errorf("a: %+v", e)
	}
	if e := last["sha256:bb"]; e.Phase != "exists" || !e.Ended {
		t.Errorf("b: %+v", e)
	}
	if e := last["sha256:cc"]; e.Phase != "failed" || !strings.Contains(e.Error, "no\nsuch") {
		t.Errorf("c: %+v", e)
	}
	if len(messages) != 1 {
		t.Errorf("messages %q", messages)
	}
}

func TestQuietAndNil(t *testing.T) {
	if out := capture(t, Quiet, threeTasks); out != "" {
		t.Errorf("quiet wrote %q", out)
	}
	threeTasks(nil)
}

func TestAutoIsPlainOffATerminal(t *testing.T) {
	if out := capture(t, Auto, threeTasks); strings.ContainsRune(out, '\x1b') || !strings.Contains(out, "done") {
		t.Errorf("%q", out)
	}
}

// terminal opens a pseudo terminal of a width.
func terminal(t *testing.T, width uint16) (main, side *os.File) {
	t.Helper()
	main, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminal: ", err)
	}
	t.Cleanup(func() { _ = main.Close() }) // the test is over
	if err := unix.IoctlSetPointerInt(int(main.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("no pseudo terminal: ", err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, main.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Skip("no pseudo terminal: ", errno)
	}
	side = os.NewFile(fd, "pty")
	t.Cleanup(func() { _ = side.Close() }) // as above
	if err := unix.IoctlSetWinsize(int(side.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width}); err != nil {
		t.Fatal(err)
	}
	return main, side
}

func TestTerminalWithoutASize(t *testing.T) {
	t.Setenv("TERM", "xterm")
	_, side := terminal(t, 0)
	if m := Auto.resolve(side); m != Plain {
		t.Errorf("mode %d", m)
	}
}

func TestBarsOnATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	main, side := terminal(t, 100)
	var mu sync.Mutex
	var out bytes.Buffer
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := main.Read(buf)
			mu.Lock()
			out.Write(buf[:n])
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	has := func(text string) bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(out.String(), text)
	}
	wait := func(text string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !has(text); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%q does not appear in %q", text, out.String())
			}
		}
	}
	d := New(side, Auto)
	if _, ok := d.out.(*bars); !ok {
		t.Fatal("no bars on a terminal")
	}
	a := d.Task("sha256:aa", "aaaaaaaaaaaa", 4000)
	b := d.Task("sha256:bb", "bbbbbbbbbbbb", 4000)
	a.Phase("downloading")
	a.Add(2000)
	wait("aaaaaaaaaaaa  downloading  [====")
	wait("2.0 kB / 4.0 kB")
	wait("bbbbbbbbbbbb  waiting")
	d.Print("a notice")
	a.Add(2000)
	a.Done("")
	wait("aaaaaaaaaaaa  done")
	wait("a notice")
	b.Fail(errors.New("cut"))
	d.Close()
	wait("bbbbbbbbbbbb  failed: cut")
	d.Print("late")
	d.Task("x", "x", 1).Done("")
}

func TestCloseWithRunningTasks(t *testing.T) {
	for _, mode := range []Mode{Bars, Plain, JSON} {
		capture(t, mode, func(d *Display) {
			d.Task("a", "a", 100).Add(1)
			d.Task("b", "b", 0).Phase("downloading")
		})
	}
}

func TestManyGoroutines(t *testing.T) {
	for _, mode := range []Mode{Bars, Plain, JSON} {
		capture(t, mode, func(d *Display) {
			var wg sync.WaitGroup
			for range 20 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					task := d.Task("id", "label", 1000)
					task.Phase("downloading")
					for range 1000 {
						task.Add(1)
					}
					task.Done("")
				}()
			}
			wg.Wait()
		})
	}
}

func TestBarLine(t *testing.T) {
	mb := func(n int64) int64 { return n * 1000 * 1000 }
	for _, c := range []struct {
		s     State
		width int
		want  string
	}{
		{State{Phase: "waiting"}, 80, "4f4fb700ef54  waiting      "},
		{State{Phase: "downloading", Current: mb(10), Total: mb(40), Rate: 5e6, Left: 6 * time.Second}, 90, "4f4fb700ef54  downloading  [=====>               ]  10.0 MB / 40.0 MB  5.0 MB/s  0:06"},
		{State{Phase: "downloading", Current: mb(10), Total: mb(40), Rate: 5e6, Left: 6 * time.Second}, 60, "4f4fb700ef54  downloading  10.0 MB / 40.0 MB  5.0 MB/s  0:06"},
		{State{Phase: "downloading", Current: mb(10)}, 80, "4f4fb700ef54  downloading  10.0 MB"},
		{State{Phase: "unpacking", Current: mb(40), Total: mb(40), Rate: 5e6}, 80, "4f4fb700ef54  unpacking    [===========]  40.0 MB / 40.0 MB"},
		{State{Ended: true, Note: "done", Current: mb(40), Total: mb(40), Took: 13100 * time.Millisecond}, 80, "4f4fb700ef54  done         40.0 MB  in 13.1s"},
		{State{Ended: true, Note: "exists"}, 80, "4f4fb700ef54  exists     "},
		{State{Ended: true, Note: "failed", Err: errors.New("cut")}, 24, "4f4fb700  failed: cut"},
	} {
		if got := barLine("4f4fb700ef54", c.s, c.width); got != c.want {
			t.Errorf("width %d, %+v:\n got %q\nwant %q", c.width, c.s, got, c.want)
		}
		for width := range 200 {
			if got := barLine("4f4fb700ef54", c.s, width); len(got) > max(width, 20) {
				t.Fatalf("%d columns for a width of %d: %q", len(got), width, got)
			}
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 99_949: "99.9 kB", 99_951: "100 kB", 999_499: "999 kB", 999_500: "1.0 MB", 45_600_000: "45.6 MB", 1 << 40: "1.1 TB", 1<<63 - 1: "9.2 EB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestMeter(t *testing.T) {
	m := meter{}
	at := time.Unix(0, 0)
	for i := range int64(100) {
		at = at.Add(100 * time.Millisecond)
		m.at(at, i*1000)
	}
	if r := m.rate; r < 9999 || r > 10001 {
		t.Errorf("steady 10 kB/s is %f", r)
	}
	for range 200 {
		at = at.Add(100 * time.Millisecond)
		m.at(at, 99_000)
	}
	if r := m.rate; r > 100 {
		t.Errorf("nothing for 20 s is %f", r)
	}
}

func TestModes(t *testing.T) {
	for s, want := range map[string]Mode{"": Auto, "auto": Auto, "bars": Bars, "tty": Bars, "plain": Plain, "json": JSON, "rawjson": JSON, "quiet": Quiet} {
		if got, err := ParseMode(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	if _, err := ParseMode("loud"); err == nil {
		t.Error("loud is no mode")
	}
}
