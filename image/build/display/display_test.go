package display

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func run(mode Mode) string {
	var b bytes.Buffer
	d := New(&b, mode)
	one := d.Step("[1/2] FROM base")
	one.Done()
	two := d.Step("[2/2] RUN a\n  b")
	_, _ = two.Write([]byte("part"))
	_, _ = two.Write([]byte("ial\nnext\x1b[2J\n"))
	three := d.Step("[x 1/1] COPY a b")
	three.Cached()
	d.Warn("look out")
	_, _ = two.Write([]byte("rest"))
	two.Fail(errors.New("exit status 1"))
	two.Done()
	d.Close()
	return b.String()
}

func TestPlain(t *testing.T) {
	out := run(Plain)
	for _, want := range []string{"#1 [1/2] FROM base\n#1 DONE 0.0s\n", "#2 [2/2] RUN a b\n", " partial\n", "#3 CACHED\n", "WARN: look out\n", " rest\n#2 ERROR: exit status 1\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if strings.Count(out, "#2 [2/2]") != 2 {
		t.Errorf("the name is not written again:\n%s", out)
	}
}

func TestJSON(t *testing.T) {
	var events []string
	for _, line := range strings.Split(strings.TrimSpace(run(JSON)), "\n") {
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e.Event)
	}
	if got, want := strings.Join(events, " "), "start done start output output start cached warning output error"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTerminal(t *testing.T) {
	out := run(Terminal)
	for _, want := range []string{" => [1/2] FROM base", " => CACHED [x 1/1] COPY a b", " => ERROR [2/2] RUN a b", "WARN: look out", "[+] Failed"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%q", want, out)
		}
	}
	if strings.Contains(out, "\x1b[2J") {
		t.Error("an escape sequence of the command got through")
	}
}

// TestTerminalRedraw: what is drawn is moved over again, line by line.
func TestTerminalRedraw(t *testing.T) {
	var b bytes.Buffer
	term := newTerminal(&b, time.Now())
	s := &Step{name: "RUN x", start: time.Now()}
	term.begin(s)
	term.line(s, []byte("one"))
	term.tick(false)
	if got := strings.Count(b.String(), "\n"); got != 3 || term.drawn != 3 {
		t.Errorf("%d lines, %d noted:\n%s", got, term.drawn, b.String())
	}
	b.Reset()
	term.tick(false)
	if !strings.HasPrefix(b.String(), "\x1b[3A\x1b[J") {
		t.Errorf("%q", b.String())
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "10%\r20%\r": "20%", "\x1b[31mred\x1b[0m": "red", "\x1b]0;title\x07x": "x", "a\tb": "a    b", "\x1b[": "", "\xff\x00é": "é", "\u009b2J": "2J",
	} {
		if got := printable([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestPlainQuotesNobody: an error or a warning that quotes an image does not steer the
// terminal.
func TestPlainQuotesNobody(t *testing.T) {
	var b bytes.Buffer
	d := New(&b, Plain)
	d.Warn("look\x1b[2J out")
	d.Step("one").Fail(errors.New("user \x1b]0;x\x07a\nb\u009bc"))
	d.Close()
	if out := b.String(); strings.ContainsAny(out, "\x1b\x07\u009b") || !strings.Contains(out, "ERROR: user a; bc\n") {
		t.Errorf("%q", out)
	}
}

func TestExcerpt(t *testing.T) {
	var b bytes.Buffer
	Excerpt(&b, "Dockerfile", []byte("1\n2\n3\n4\n5\n6\n7\n8\n"), 5, 5)
	want := "Dockerfile:5\n--------------------\n   2 |     2\n   3 |     3\n   4 |     4\n   5 | >>> 5\n   6 |     6\n   7 |     7\n   8 |     8\n--------------------\n"
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
	b.Reset()
	Excerpt(&b, "Dockerfile", []byte("1\n"), 9, 12)
	if b.Len() != 0 {
		t.Errorf("lines that are not there: %s", b.String())
	}
}
