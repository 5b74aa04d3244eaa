package build

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScratch(t *testing.T) {
	b := newBench(t)
	r := b.build("FROM scratch\nCOPY a /x/\nENV K=v\nLABEL l=1\nEXPOSE 80 90-91/udp\nVOLUME /data\nUSER 7\nWORKDIR /w\nSTOPSIGNAL TERM\nENTRYPOINT [\"/x\"]\nCMD echo hi\n", "t", "a=1")
	if got := b.read(r, "x/a"); got != "1" {
		t.Errorf("x/a is %q", got)
	}
	c := r.Images[0].Image.Config
	if strings.Join(c.Env, " ") != "PATH="+defaultPath+" K=v" || c.Labels["l"] != "1" || len(c.ExposedPorts) != 3 || c.User != "7" || c.WorkingDir != "/w" ||
		c.StopSignal != "TERM" || strings.Join(c.Cmd, "|") != "/bin/sh|-c|echo hi" || strings.Join(c.Entrypoint, "|") != "/x" {
		t.Errorf("config %+v", c)
	}
}

func TestRun(t *testing.T) {
	b := newBench(t).busybox()
	r := b.build(`FROM base
ARG WHO=world
ENV GREETING="hello $WHO"
WORKDIR /srv
RUN echo "$GREETING" > f && id -u > u && pwd > p
RUN rm f && mkdir d && touch d/x
USER web
RUN id -u > /tmp/u && id -G > /tmp/g && echo $HOME > /tmp/h
`, "t")
	for name, want := range map[string]string{"srv/f": "deleted", "srv/u": "0\n", "srv/p": "/srv\n", "tmp/u": "33\n", "tmp/g": "34 40\n", "tmp/h": "/srv\n"} {
		if got := b.read(r, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	// Mount points are no part of the image.
	for _, name := range []string{"proc", "sys", "dev", "etc/resolv.conf", "etc/hosts"} {
		if got := b.read(r, name); got != "missing" {
			t.Errorf("%s is %q", name, got)
		}
	}
	first := r.Descriptor.Digest
	r = b.build(`FROM base
ARG WHO=world
ENV GREETING="hello $WHO"
WORKDIR /srv
RUN echo "$GREETING" > f && id -u > u && pwd > p
RUN rm f && mkdir d && touch d/x
USER web
RUN id -u > /tmp/u && id -G > /tmp/g && echo $HOME > /tmp/h
`, "t")
	if r.Cached != r.Steps || r.Steps != 4 || r.Descriptor.Digest != first {
		t.Errorf("%d of %d cached, %s and %s\n%s", r.Cached, r.Steps, first, r.Descriptor.Digest, b.out.String())
	}
}

func TestRunFails(t *testing.T) {
	b := newBench(t).busybox()
	_, err := b.try("FROM base\nRUN echo before\nRUN echo why; exit 7\nRUN echo after\n", "t")
	var run *RunError
	if !errors.As(err, &run) || run.Exit != 7 || run.Output != "why" || !strings.HasPrefix(err.Error(), "Dockerfile:3: ") {
		t.Errorf("%v", err)
	}
	if strings.Contains(b.out.String(), "RUN echo after") {
		t.Error("it goes on after a failure")
	}
}

func TestStages(t *testing.T) {
	b := newBench(t).busybox()
	r := b.build(`ARG V=1
FROM base AS a
ARG V
RUN echo a$V > /out
FROM base AS b
RUN echo b > /out
FROM base AS unused
RUN false
FROM scratch
COPY --from=a /out /a
COPY --from=1 /out /b
COPY --from=base /bin/busybox /bb
`, "t")
	if b.read(r, "a") != "a1\n" || b.read(r, "b") != "b\n" {
		t.Error(b.read(r, "a"), b.read(r, "b"))
	}
}

// TestCache: what a change makes anew, and what it does not.
func TestCache(t *testing.T) {
	b := newBench(t).busybox()
	const dockerfile = "FROM base\nARG A\nCOPY a /\nRUN cat /a > /x\nCOPY b /\nLABEL l=1\nRUN echo ${A:-none} > /y\n"
	b.build(dockerfile, "t", "a=1", "b=1")
	for _, tt := range []struct {
		name       string
		dockerfile string
		arg        string
		files      []string
		cached     int
	}{
		{"nothing", dockerfile, "", []string{"a=1", "b=1"}, 4},
		{"other file", dockerfile, "", []string{"a=1", "b=1", "c=1"}, 4},
		{"second file", dockerfile, "", []string{"a=1", "b=2"}, 2},
		{"first file", dockerfile, "", []string{"a=2", "b=1"}, 0},
		{"label", strings.Replace(dockerfile, "l=1", "l=2", 1), "", []string{"a=1", "b=1"}, 4},
		{"argument", dockerfile, "new", []string{"a=1", "b=1"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b.t = t
			b.o.BuildArgs = nil
			if tt.arg != "" {
				b.o.BuildArgs = map[string]string{"A": tt.arg}
			}
			if r := b.build(tt.dockerfile, "t2", tt.files...); r.Cached != tt.cached {
				t.Errorf("%d cached, want %d\n%s", r.Cached, tt.cached, b.out.String())
			}
		})
	}
}

func TestHeredocs(t *testing.T) {
	b := newBench(t).busybox()
	r := b.build(`FROM base
ARG X=1
COPY <<one <<"two" /d/
v=$X
one
v=$X
two
RUN <<E
echo a > /a
echo b >> /a
E
RUN <<E
#!/bin/busybox sh
echo $0 > /s
E
RUN cat <<E > /c
inner $X
E
`, "t")
	for name, want := range map[string]string{"d/one": "v=1\n", "d/two": "v=$X\n", "a": "a\nb\n", "s": "/dev/pipes/E\n", "c": "inner 1\n"} {
		if got := b.read(r, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestMounts(t *testing.T) {
	b := newBench(t).busybox()
	b.o.Secrets = map[string]Secret{"key": {Value: []byte("hush-hush-42")}}
	r := b.build(`FROM base AS src
RUN mkdir /s && echo stage > /s/f && ln -s / /lnk
FROM base
RUN --mount=type=bind,target=/ctx cat /ctx/a > /1
RUN --mount=type=bind,from=src,source=/s,target=/m,rw cat /m/f > /2 && echo lost > /m/g
RUN --mount=type=bind,from=src,source=/lnk,target=/m ls /m > /3
RUN --mount=type=cache,target=/c,id=k echo kept > /c/f
RUN --mount=type=cache,target=/other,id=k,uid=33 cat /other/f > /4
RUN --mount=type=tmpfs,target=/t echo x > /t/x
RUN --mount=type=secret,id=key cat /run/secrets/key | wc -c > /5
RUN --mount=type=secret,id=key,env=KEY echo ${#KEY} > /6
RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent
`, "t", "a=context")
	for name, want := range map[string]string{"1": "context", "2": "stage\n", "4": "kept\n", "5": "12\n", "6": "12\n", "run": "missing", "ctx": "missing", "m": "missing", "c": "missing"} {
		if got := b.read(r, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := b.read(r, "3"); !strings.Contains(got, "lnk") {
		t.Errorf("a link to / as a source shows %q", got)
	}
	found := false
	must(t, filepath.WalkDir(b.store.Dir(), func(p string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(p)
		found = found || strings.Contains(string(raw), "hush-hush-42")
		return err
	}))
	if found {
		t.Error("the secret is in the store")
	}
}
