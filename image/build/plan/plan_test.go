package plan

import (
	"errors"
	"strings"
	"testing"

	"berth/image"
)

func parse(t *testing.T, text string, o Options) (*Plan, error) {
	t.Helper()
	o.Name = "Dockerfile"
	if o.Platform.OS == "" {
		o.Platform, o.BuildPlatform = image.Platform{OS: "linux", Architecture: "arm64"}, image.Platform{OS: "linux", Architecture: "amd64"}
	}
	return Parse([]byte(text), o)
}

func TestStages(t *testing.T) {
	p, err := parse(t, `ARG V=3
ARG BASE=alpine:$V
FROM $BASE AS One
FROM --platform=$BUILDPLATFORM one AS two
COPY --from=0 a b
FROM scratch
COPY --from=TWO x y
COPY --from=busybox:1 z z
RUN --mount=from=one,target=/m true
`, Options{BuildArgs: map[string]string{"V": "4"}})
	if err != nil {
		t.Fatal(err)
	}
	one, two, last := p.Stages[0], p.Stages[1], p.Stages[2]
	if one.Base != "alpine:4" || one.Name != "one" || two.Parent != one || two.Platform.Architecture != "amd64" || p.Target != last {
		t.Errorf("stages %+v %+v", one, two)
	}
	if two.Commands[0].Sources[0] != one || last.Commands[0].Sources[0] != two || !last.Commands[1].Sources[0].Implied || last.Commands[2].Sources[0] != one {
		t.Error("commands do not read what they name")
	}
	if needed := p.Needed(); len(needed) != 4 {
		t.Errorf("%d stages are needed", len(needed))
	}
}

func TestNeeded(t *testing.T) {
	p, err := parse(t, "FROM a AS a\nFROM b AS b\nFROM a AS c\nRUN x\n", Options{Target: "c"})
	if err != nil {
		t.Fatal(err)
	}
	if needed := p.Needed(); len(needed) != 2 || needed[p.Stages[1]] {
		t.Errorf("b is needed: %v", needed)
	}
}

func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "empty",
		"# nothing\n":                        "no instructions",
		"RUN x\n":                            "Dockerfile:1: an instruction in front of the first FROM",
		"FROM a\nRUNN x\n":                   "Dockerfile:2: unknown instruction: RUNN (did you mean RUN?)",
		"FROM a\nCOPY --chwn=1 a b\n":        "Dockerfile:2: unknown flag: --chwn (did you mean chown?)",
		"FROM a\n\nCOPY a\n":                 "Dockerfile:3: ",
		"FROM a\nRUN <<E\nx\n":               "Dockerfile:2: ",
		"FROM $X\n":                          "no ARG X",
		"FROM --platform=x/y/z/w a\n":        "Dockerfile:1: ",
		"FROM a AS one\nCOPY --from=2 a b\n": "Dockerfile:2: COPY --from=2",
		"FROM a AS one\nCOPY --from=two a b\nFROM b AS two\n": "", // two is an image to the first stage
		"FROM a AS one\nCOPY --from=one a b\n":                "Dockerfile:2: stage \"one\"",
		"FROM a\nARG S\nCOPY --from=$S a b\n":                 "variables are not expanded",
		"FROM a\nRUN --mount=type=bnd,target=/x true\n":       "",
		"FROM a\nONBUILD FROM b\n":                            "Dockerfile:2: ",
	} {
		_, err := parse(t, text, Options{})
		if text == "FROM a AS one\nCOPY --from=two a b\nFROM b AS two\n" {
			if !errors.Is(err, ErrForward) {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := parse(t, "FROM a AS build\n", Options{Target: "biuld"}); err == nil || !strings.Contains(err.Error(), "did you mean build?") {
		t.Errorf("target: %v", err)
	}
}

func TestTriggers(t *testing.T) {
	p, err := parse(t, "FROM a AS one\nFROM b AS two\nRUN own\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := p.Stages[1]
	if err := p.Triggers(s, []string{"COPY --from=one x y", "RUN first"}); err != nil {
		t.Fatal(err)
	}
	if len(s.Commands) != 3 || !s.Commands[0].OnBuild || s.Commands[0].Sources[0] != p.Stages[0] || s.Commands[2].OnBuild {
		t.Errorf("%+v", s.Commands)
	}
	if err := p.Triggers(p.Stages[0], []string{"NONSENSE x"}); err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:1: ONBUILD NONSENSE x: ") {
		t.Errorf("%v", err)
	}
}

func TestNamedContexts(t *testing.T) {
	p, err := parse(t, "FROM alpine AS one\nRUN x\nFROM one\n", Options{Contexts: map[string]string{"one": "", "docker.io/library/alpine:latest": ""}})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Stages[0].Replaced || p.Stages[0].Context != "one" {
		t.Errorf("%+v", p.Stages[0])
	}
	if p, err = parse(t, "FROM alpine\n", Options{Contexts: map[string]string{"docker.io/library/alpine:latest": ""}}); err != nil || p.Stages[0].Context == "" {
		t.Errorf("%+v, %v", p.Stages[0], err)
	}
}

// TestEnv: an entry without "=" takes nothing from the builder's environment.
func TestEnv(t *testing.T) {
	t.Setenv("HOME", "/secret")
	e := EnvOf([]string{"PATH=/bin", "HOME", "=x", "A=1", "A=2"})
	if v, ok := e.Get("HOME"); v != "" || !ok {
		t.Errorf("HOME is %q", v)
	}
	if got := strings.Join(e.List(), " "); got != "PATH=/bin HOME= =x A=2" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("FROM a\nRUN --mount=type=cache,target=/x <<E\ny\nE\nCOPY --from=0 a b\n"))
	f.Add([]byte("# escape=`\nARG A=1\nFROM ${A:+b} AS c\nONBUILD ADD x y\n"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		p := image.HostPlatform()
		plan, err := Parse(text, Options{Name: "f", Platform: p, BuildPlatform: p})
		if err == nil {
			plan.Needed()
		}
		_, _, _ = Check(text, CheckOptions{Options: Options{Name: "f", Platform: p, BuildPlatform: p}}) // it must end
	})
}
