package log

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var noon = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

// open returns a logger whose stderr is a file, and a function that reads both.
func open(t *testing.T, o Options) (*Logger, func() (log, stderr string)) {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	l.stderr, l.now = int(f.Fd()), func() time.Time { return noon }
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), f.Close()); err != nil {
			t.Error(err)
		}
	})
	return l, func() (string, string) {
		var log []byte
		if o.Path != "" {
			if log, err = os.ReadFile(o.Path); err != nil {
				t.Fatal(err)
			}
		}
		errText, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(log), string(errText)
	}
}

func TestFailureIsOneObject(t *testing.T) {
	l, read := open(t, Options{Path: filepath.Join(t.TempDir(), "log.json"), JSON: true})
	l.Warn("a capability is missing")
	l.Debug("unseen")
	l.Error(errors.New(`open "a<b": no such file or directory`))
	log, stderr := read()
	var got struct{ Level, Msg, Time string }
	if err := json.Unmarshal([]byte(log), &got); err != nil { // as podman 4.3 does
		t.Fatalf("%v in %q", err, log)
	}
	if got.Level != "error" || got.Msg != `open "a<b": no such file or directory` || got.Time != "2031-05-06T12:00:00Z" {
		t.Errorf("log holds %+v", got)
	}
	if !strings.Contains(log, "a<b") || strings.Count(log, "\n") != 1 {
		t.Errorf("log is %q", log)
	}
	if stderr != "berth: open \"a<b\": no such file or directory\n" {
		t.Errorf("stderr is %q", stderr)
	}
}

func TestSuccess(t *testing.T) {
	for _, c := range []struct {
		name        string
		o           Options
		log, stderr string
	}{
		{"json file", Options{Path: "log", JSON: true}, `{"level":"warning","msg":"w","time":"2031-05-06T12:00:00Z"}` + "\n", ""},
		{"text file", Options{Path: "log"}, `time="2031-05-06T12:00:00Z" level=warning msg="w"` + "\n", ""},
		{"no file, nobody looks", Options{}, "", ""},
		{"debug", Options{Debug: true}, "", `time="2031-05-06T12:00:00Z" level=debug msg="d1"` + "\n" +
			`time="2031-05-06T12:00:00Z" level=warning msg="w"` + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.o.Path != "" {
				c.o.Path = filepath.Join(t.TempDir(), c.o.Path)
			}
			l, read := open(t, c.o)
			l.Debugf("d%d", 1)
			l.Warnf("%s", "w")
			l.Flush()
			l.Flush()
			log, stderr := read()
			if log != c.log || stderr != c.stderr {
				t.Errorf("log %q, stderr %q", log, stderr)
			}
		})
	}
}

func TestErrorOnStderrAlone(t *testing.T) {
	l, read := open(t, Options{JSON: true})
	l.Error(errors.New("no"))
	if _, stderr := read(); stderr != `{"level":"error","msg":"no","time":"2031-05-06T12:00:00Z"}`+"\n" {
		t.Errorf("stderr is %q", stderr)
	}
	l, read = open(t, Options{})
	l.Error(errors.New("no"))
	if _, stderr := read(); stderr != "berth: no\n" {
		t.Errorf("stderr is %q", stderr)
	}
}

func TestAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for range 2 {
		l, _ := open(t, Options{Path: path})
		l.Error(errors.New("no"))
	}
	b, err := os.ReadFile(path)
	if err != nil || strings.Count(string(b), "\n") != 2 {
		t.Errorf("%q, %v", b, err)
	}
}

func TestNewNamesTheFile(t *testing.T) {
	_, err := New(Options{Path: "/nowhere/log"})
	if !errors.Is(err, syscall.ENOENT) || err.Error() != "open log /nowhere/log: no such file or directory" {
		t.Errorf("got %v", err)
	}
}

func TestOneLine(t *testing.T) {
	l, read := open(t, Options{})
	l.Error(errors.Join(errors.New("exec \x1b]0;x\x07\u009b: no"), errors.New("größer \xff\tä")))
	if _, stderr := read(); stderr != `berth: exec \x1b]0;x\a\u009b: no; größer `+"\ufffd"+`\tä`+"\n" {
		t.Errorf("stderr is %q", stderr)
	}
}
