package build

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"berth/image/build/sshagent"
)

// TestHostileMounts: where a step's mounts go and come from is decided inside the
// root of the stage (buildkit CVE-2024-23651, 23652; buildah CVE-2024-1753, 9675).
func TestHostileMounts(t *testing.T) {
	b := newBench(t).busybox()
	victim := t.TempDir()
	must(t, os.WriteFile(filepath.Join(victim, "v"), []byte("safe"), 0o644))
	b.o.Secrets = map[string]Secret{"s": {Value: []byte("x")}}
	r := b.build(strings.ReplaceAll(`FROM base
RUN mkdir /real && ln -s VICTIM /lnk && ln -s ../../../../../../VICTIM /up && ln -s / /root-link && ln -s VICTIM/v /file
RUN --mount=type=cache,target=/lnk/new touch /lnk/new/a
RUN --mount=type=tmpfs,target=/up/new touch /up/new/a
RUN --mount=type=secret,id=s,target=/lnk/secret cat /lnk/secret
RUN --mount=type=bind,target=/file,source=f cat /file
RUN --mount=type=cache,id=../../../../x,target=/c --mount=type=cache,target=/d,id=/etc touch /c/a /d/a
RUN --mount=type=bind,from=base,source=/../../../..,target=/m test ! -e /m/VICTIM
WORKDIR /lnk/work
COPY f /lnk/copied
COPY f /file
RUN --mount=type=bind,source=f,target=/p/x/y mv /p /q; ln -sfn VICTIM /p; mkdir -p VICTIM
RUN --mount=type=cache,id=h,target=/h ln -sfn VICTIM /h/l; ln -sfn / /h/r
RUN --mount=type=cache,id=h,target=/h --mount=type=tmpfs,target=/h/l/t --mount=type=bind,source=f,target=/h/r/zz touch /h/l/t/a && cat /zz
RUN --mount=type=cache,id=h,target=/h,source=l touch /h/a
`, "VICTIM", victim), "t", "f=1")
	left, err := os.ReadDir(victim)
	must(t, err)
	raw, err := os.ReadFile(filepath.Join(victim, "v"))
	must(t, err)
	if len(left) != 1 || string(raw) != "safe" {
		t.Errorf("the victim has %v, %q", left, raw)
	}
	if got := b.read(r, victim+"/copied"); got != "1" {
		t.Errorf("the copy through a link is %q", got)
	}
}

// TestMountsFromHostileStage: what a stage has at a mount's source is looked up in the
// stage (buildah CVE-2024-1753).
func TestMountsFromHostileStage(t *testing.T) {
	b := newBench(t).busybox()
	victim := t.TempDir()
	must(t, os.WriteFile(filepath.Join(victim, "v"), []byte("safe"), 0o644))
	const stage = "FROM base AS evil\nRUN ln -s / /lnk && ln -s VICTIM /out && ln -s ../../../../../../../../VICTIM/v /file\nFROM base\n"
	try := func(step string) (string, error) {
		r, err := b.try(strings.ReplaceAll(stage+step+"\n", "VICTIM", victim), "")
		if err != nil {
			return "", err
		}
		return b.read(r, "o"), nil
	}
	if got, err := try("RUN --mount=type=bind,from=evil,source=/lnk,target=/m,rw ls /m > /o && touch /m/new"); err != nil || strings.Contains(got, "proc") || !strings.Contains(got, "lnk") {
		t.Errorf("/lnk shows %q, %v", got, err)
	}
	for _, step := range []string{
		"RUN --mount=type=bind,from=evil,source=/out,target=/m,rw ls /m > /o; touch /m/new",
		"RUN --mount=type=bind,from=evil,source=/file,target=/m cat /m > /o",
		"RUN --mount=type=cache,from=evil,source=/out,target=/m ls /m > /o; touch /m/new",
		"COPY --from=evil /out/v /o", "COPY --from=evil /file/ /o", "COPY --from=evil /out/* /o/",
	} {
		if got, err := try(step); err == nil && strings.Contains(got, "safe") {
			t.Errorf("%s shows %q", step, got)
		}
	}
	if left, err := os.ReadDir(victim); err != nil || len(left) != 1 {
		t.Errorf("the victim has %v, %v", left, err)
	}
}

// TestCacheKnowsTheConfiguration: two images of the same layers that want commands run
// differently do not share what is run on them (CVE-2024-24557).
func TestCacheKnowsTheConfiguration(t *testing.T) {
	b := newBench(t).busybox()
	for i, lines := range []string{"ENV A=1", "ENV A=2", "USER web", "USER 7:8", `SHELL ["/bin/sh", "-ec"]`, "ENV HOME=/tmp"} {
		b.build("FROM base\n"+lines+"\n", "variant")
		if r := b.build("FROM variant\nRUN echo $A\n", ""); r.Cached > 0 {
			t.Errorf("%d, %s: %d steps of another image are taken", i, lines, r.Cached)
		}
	}
}

// TestContextEscapes: nothing outside of the context is copied.
func TestContextEscapes(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("1"), 0o644))
	must(t, os.Symlink("/etc/shadow", filepath.Join(dir, "abs")))
	must(t, os.Symlink("../../../../../../etc/shadow", filepath.Join(dir, "rel")))
	must(t, os.Symlink("/etc", filepath.Join(dir, "dir")))
	for _, src := range []string{"abs", "rel", "dir/shadow", "../x", "a/../../x", "/../x"} {
		_, err := b.tryIn(dir, "FROM scratch\nCOPY "+src+" /x\n", "")
		if err == nil || !strings.Contains(err.Error(), "Dockerfile:2: ") {
			t.Errorf("%s: %v", src, err)
		}
	}
	// A link that is copied with its directory is a link.
	r := b.buildIn(dir, "FROM scratch\nCOPY . /x/\n", "t")
	layer, _ := b.store.Layer(r.Images[0].Layers[0])
	if target, err := os.Readlink(filepath.Join(layer, "x/abs")); err != nil || target != "/etc/shadow" {
		t.Errorf("%s, %v", target, err)
	}
}

// repository makes a git repository that a web server can serve as files.
func repository(t *testing.T) (dir string, commit string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	work, top := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(work, "Dockerfile"), []byte("FROM scratch\nCOPY f /f\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(work, "f"), []byte("git\n"), 0o644))
	must(t, os.Mkdir(filepath.Join(work, "sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(work, "sub/g"), []byte("sub\n"), 0o644))
	must(t, os.Symlink("/etc", filepath.Join(work, "evil")))
	git := func(dir string, args ...string) string {
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git(work, "init", "-q", "-b", "main")
	git(work, "add", ".")
	git(work, "commit", "-q", "-m", "one")
	git(work, "tag", "v1")
	git(work, "clone", "-q", "--bare", work, filepath.Join(top, "r.git"))
	git(filepath.Join(top, "r.git"), "update-server-info")
	return top, git(work, "rev-parse", "HEAD")
}

func TestAddFromElsewhere(t *testing.T) {
	b := newBench(t)
	top, commit := repository(t)
	must(t, os.WriteFile(filepath.Join(top, "file.txt"), []byte("web\n"), 0o644))
	hits := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		http.FileServer(http.Dir(top)).ServeHTTP(w, r)
	}))
	defer server.Close()
	const sum = "sha256:0c3d64c1bd2d2ae9bcdc4d4e3ebd1de4d31f4ed4c2c12e0b4a2d9d3e4f5a6b7c"
	dockerfile := strings.ReplaceAll(`FROM scratch
ADD URL/file.txt /web/
ADD --chmod=644 URL/file.txt /one
ADD URL/r.git#v1 /git/
ADD --keep-git-dir URL/r.git#main:sub /sub
ADD URL/r.git?commit=COMMIT&ref=main /query/
`, "URL", server.URL)
	dockerfile = strings.ReplaceAll(dockerfile, "COMMIT", commit)
	r := b.build(dockerfile, "t")
	for name, want := range map[string]string{"web/file.txt": "web\n", "one": "web\n", "git/f": "git\n", "sub/g": "sub\n", "query/f": "git\n", "git/.git": "missing"} {
		if got := b.read(r, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r = b.build(dockerfile, "t"); r.Cached != r.Steps {
		t.Errorf("%d of %d cached", r.Cached, r.Steps)
	}
	for line, want := range map[string]string{
		"ADD --checksum=" + sum + " URL/file.txt /x": "its digest is",
		"ADD URL/none /x":          "404",
		"ADD URL/ /x/":             "no name for the file",
		"ADD URL/r.git#nothere /x": "no revision nothere",
		"ADD --checksum=" + strings.Repeat("0", 40) + " URL/r.git#main /x": "is commit " + commit,
		"ADD URL/r.git#main:evil/passwd /x":                                "leads out of the tree",
		"ADD URL/r.git#--upload-pack=x /x":                                 "not the name of a repository",
		"COPY URL/file.txt /x":                                             "only ADD takes URLs",
	} {
		if _, err := b.try("FROM scratch\n"+strings.ReplaceAll(line, "URL", server.URL)+"\n", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	// A git context, and one whose subdirectory leads outside.
	for place, want := range map[string]string{"/r.git#v1": "", "/r.git#v1:evil": "no Dockerfile", "/r.git#v1:none": "no directory none"} {
		src, err := OpenSource(t.Context(), SourceOptions{Context: server.URL + place, Tmp: t.TempDir()})
		if want == "" && (err != nil || string(src.Dockerfile) != "FROM scratch\nCOPY f /f\n") {
			t.Errorf("%s: %v", place, err)
		}
		if want != "" && err == nil {
			t.Errorf("%s: it is opened", place)
		}
		src.Close()
	}
}

// TestSSHMount: the command talks to the agent through a socket of its own.
func TestSSHMount(t *testing.T) {
	b := newBench(t).busybox()
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	must(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("agent here\n")) // a client that has gone is its own fault
			_ = conn.Close()                          // as above
		}
	}()
	agent, err := sshagent.Open(socket)
	must(t, err)
	b.o.SSH = map[string]*sshagent.Agent{"default": agent}
	r := b.build("FROM base\nRUN --mount=type=ssh,uid=33,mode=0666 ls -ln $SSH_AUTH_SOCK | cut -c1-10 > /l; nc local:$SSH_AUTH_SOCK < /dev/null > /o || true\nRUN test ! -e /run/buildkit\n", "t")
	if got := b.read(r, "l"); !strings.HasPrefix(got, "srw-rw-rw-") {
		t.Errorf("the socket is %q", got)
	}
	if got := b.read(r, "run"); got != "missing" {
		t.Errorf("run is %q", got)
	}
	if _, err := b.try("FROM base\nRUN --mount=type=ssh,id=other,required true\n", ""); err == nil || !strings.Contains(err.Error(), "it is required") {
		t.Errorf("%v", err)
	}
}

// grepping is a Runner that looks for a text in all files of a directory that are on
// its file system.
type grepping struct {
	dir, text string
	hits      []string
	steps     int
}

func (g *grepping) Run(_ context.Context, bundle string, _ IO) (int, error) {
	g.steps++
	config, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err != nil || !strings.Contains(string(config), g.text) {
		return 0, fmt.Errorf("config.json has no %s: %w", g.text, err)
	}
	var top syscall.Stat_t
	if err := syscall.Stat(g.dir, &top); err != nil {
		return 0, err
	}
	return 0, filepath.WalkDir(g.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		switch {
		case st.Dev != top.Dev && d.IsDir():
			return fs.SkipDir
		case st.Dev != top.Dev || !d.Type().IsRegular():
			return nil
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), g.text) {
			g.hits = append(g.hits, path)
		}
		return err
	})
}

// TestSecretsStayInMemory: while a step runs, too, no file on disk has the value: a
// build that is killed would leave it there.
func TestSecretsStayInMemory(t *testing.T) {
	b := newBench(t)
	g := &grepping{dir: b.store.Dir(), text: "hush-1z9-hush"}
	b.o.Runner = g
	b.o.Secrets = map[string]Secret{"s": {Value: []byte(g.text)}}
	b.build("FROM scratch\nRUN --mount=type=secret,id=s,env=TOKEN --mount=type=secret,id=s [\"/true\"]\n", "t")
	if g.steps != 1 || len(g.hits) > 0 {
		t.Errorf("%d steps, the secret is in %v", g.steps, g.hits)
	}
}

// sweeping notes the bundles that it is told of.
type sweeping struct {
	nothing
	bundles []string
}

func (s *sweeping) Sweep(_ context.Context, bundle string) error {
	s.bundles = append(s.bundles, bundle)
	return nil
}

// TestSweep: a build ends what one has left that was killed, and leaves those alone
// that live.
func TestSweep(t *testing.T) {
	b := newBench(t)
	b.build("FROM scratch\nCOPY a /\n", "", "a=1")
	dead, alive := filepath.Join(b.store.Dir(), "tmp/build-dead"), filepath.Join(b.store.Dir(), "tmp/build-alive")
	must(t, os.MkdirAll(filepath.Join(dead, "step-1/upper"), 0o755))
	must(t, os.WriteFile(filepath.Join(dead, lockName), nil, 0o600))
	must(t, os.Mkdir(alive, 0o755))
	lock, err := hold(alive)
	must(t, err)
	s := &sweeping{}
	o := Options{Store: b.store, Runner: s}
	o.sweep(t.Context())
	if len(s.bundles) != 1 || s.bundles[0] != bundleOf(filepath.Join(dead, "step-1")) {
		t.Errorf("swept %v", s.bundles)
	}
	if _, err := os.Stat(dead); err == nil {
		t.Error("the dead build's directory is still there")
	}
	if _, err := os.Stat(filepath.Join(alive, lockName)); err != nil {
		t.Error("the living build's directory is gone")
	}
	must(t, lock.Close())
	o.sweep(t.Context())
	b.clean()
}
