package registry

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"berth/image/registry/testregistry"
)

// user is somebody with a home and a store, who calls berth.
type user struct {
	t    *testing.T
	path string
	home string
	env  []string
	as   *syscall.Credential // nil: who runs the test
}

func newUser(t *testing.T) *user {
	t.Helper()
	path := os.Getenv("BERTH_RUNTIME")
	if path == "" {
		t.Skip("BERTH_RUNTIME is not set: it names the berth to test (make test sets it)")
	}
	if out, err := exec.Command(path, "pull", "--help").CombinedOutput(); err != nil {
		t.Skipf("%s has no image side: %s", path, out)
	}
	home := t.TempDir()
	return &user{t: t, path: path, home: home, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "BERTH_STORE=" + filepath.Join(home, "store"), "TMPDIR=" + os.TempDir(),
		"CONTAINERS_REGISTRIES_CONF=/nonexistent",
	}}
}

// result is how a call went.
type result struct {
	code           int
	stdout, stderr string
}

func (u *user) call(stdin string, args ...string) result {
	u.t.Helper()
	cmd := exec.Command(u.path, args...)
	cmd.Env = u.env
	cmd.Stdin = strings.NewReader(stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: u.as}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		u.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// ok calls berth, which must succeed, and returns its stdout without the newline.
func (u *user) ok(args ...string) string {
	u.t.Helper()
	r := u.call("", args...)
	if r.code != 0 {
		u.t.Fatalf("berth %s: status %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return strings.TrimSuffix(r.stdout, "\n")
}

// refused calls berth, which must fail and say all of the texts.
func (u *user) refused(texts []string, args ...string) {
	u.t.Helper()
	r := u.call("", args...)
	if r.code == 0 {
		u.t.Errorf("berth %s succeeds", strings.Join(args, " "))
	}
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			u.t.Errorf("berth %s says %q, not %q", strings.Join(args, " "), r.stderr, text)
		}
	}
}

// layerOf makes a layer with one file of some size, which compresses badly.
func layerOf(t *testing.T, name string, size int) testregistry.Layer {
	t.Helper()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	body := make([]byte, size)
	rand.New(rand.NewSource(int64(size))).Read(body)
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(size), ModTime: time.Unix(1e9, 0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return testregistry.Layer{Raw: packed.Bytes(), DiffID: digest.FromBytes(plain.Bytes())}
}

// seed brings an image of three layers into the user's store as app:1 and returns
// its digest.
func (u *user) seed() string {
	u.t.Helper()
	r := testregistry.New(testregistry.Options{})
	defer r.Close()
	r.PutImage("seed/app", "1", testregistry.Image{Layers: []testregistry.Layer{
		layerOf(u.t, "small", 1000), layerOf(u.t, "middle", 300_000), layerOf(u.t, "large", 3_000_000),
	}})
	d := u.ok("pull", "-q", r.Ref("seed/app", "1"))
	u.ok("tag", r.Ref("seed/app", "1"), "app:1")
	u.ok("rmi", r.Ref("seed/app", "1"))
	return d
}

// forget empties the store.
func (u *user) forget() {
	u.t.Helper()
	for _, name := range strings.Fields(u.ok("images", "-q")) {
		u.ok("rmi", "--force", name)
	}
	u.ok("prune")
}

func TestRoundTrip(t *testing.T) {
	r, u := startDebian(t, "", ""), newUser(t)
	want := u.seed()
	name := r.host + "/team/app:1"
	if got := u.ok("push", "-q", "app:1", name); got != want {
		t.Errorf("pushed %s, want %s", got, want)
	}
	if got := u.ok("tags", r.host+"/team/app"); got != "1" {
		t.Errorf("tags %q", got)
	}
	if got := u.ok("search", r.host+"/tea"); !strings.Contains(got, r.host+"/team/app") {
		t.Errorf("search %q", got)
	}
	other := newUser(t)
	if got := other.ok("pull", name); got != name+": pulled "+strings.TrimSpace(got[strings.Index(got, "pulled ")+7:strings.Index(got, ",")])+", "+want {
		t.Errorf("pull prints %q", got)
	}
	if got := other.ok("pull", name); got != name+": up to date, "+want {
		t.Errorf("the second pull prints %q", got)
	}
	if got := other.ok("pull", "-q", r.host+"/team/app@"+want); got != want {
		t.Errorf("by digest: %s", got)
	}
	other.ok("verify")
	other.refused([]string{"manifest unknown"}, "pull", r.host+"/team/app:none")
	other.refused([]string{"name"}, "tags", r.host+"/team/none")
}

func TestReferrers(t *testing.T) {
	u := newUser(t)
	r := testregistry.New(testregistry.Options{})
	defer r.Close()
	subject := r.PutImage("team/app", "1", testregistry.Image{})
	raw := `{"schemaVersion":2,"artifactType":"text/signature","subject":{"digest":"` + subject.Digest.String() + `","size":1},"layers":[]}`
	d := r.PutManifest("team/app", "", "application/vnd.oci.image.manifest.v1+json", []byte(raw))
	if got := u.ok("referrers", r.Ref("team/app", "1")); !strings.Contains(got, d.Digest.String()) || !strings.Contains(got, "text/signature") {
		t.Errorf("prints %q", got)
	}
	if got := u.ok("referrers", "--format", "json", "--type", "text/other", r.Ref("team/app", "1")); got != "[]" {
		t.Errorf("of another type: %q", got)
	}
}

func TestOutputs(t *testing.T) {
	r, u := startDebian(t, "", ""), newUser(t)
	want := u.seed()
	name := r.host + "/team/app:1"

	out := u.call("", "push", "--format", "json", "app:1", name)
	var pushed struct{ Name, Digest string }
	if err := json.Unmarshal([]byte(out.stdout), &pushed); err != nil || pushed.Name != name || pushed.Digest != want {
		t.Errorf("push prints %q, %v", out.stdout, err)
	}
	u.forget()
	out = u.call("", "pull", "--format", "json", name)
	var pulled struct {
		Name, Digest, Platform string
		Fetched                int64
		Unchanged              bool
	}
	if err := json.Unmarshal([]byte(out.stdout), &pulled); err != nil || pulled.Name != name || pulled.Digest != want || pulled.Fetched < 3_000_000 || pulled.Platform != "linux/amd64" {
		t.Errorf("pull prints %q, %v", out.stdout, err)
	}
	done := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(out.stderr), "\n") {
		var e struct {
			ID    string
			Phase string
			Ended bool
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if e.Ended {
			done[e.ID] = true
		}
	}
	if len(done) < 3 {
		t.Errorf("%d tasks ended in %q", len(done), out.stderr)
	}
	u.forget()
	if out := u.call("", "pull", "--progress", "plain", name); !strings.Contains(out.stderr, ": downloading ") || strings.ContainsRune(out.stderr, '\x1b') {
		t.Errorf("plain progress is %q", out.stderr)
	}
	if out := u.call("", "pull", "-q", name); out.stdout != want+"\n" || out.stderr != "" {
		t.Errorf("quiet prints %q and %q", out.stdout, out.stderr)
	}
	u.refused([]string{"--format"}, "pull", "--format", "xml", name)
	u.refused([]string{"exclude each other"}, "pull", "-a", "--platform", "linux/arm64", name)
}

// An ordinary user does the same, with a store and credentials of his own.
func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become an ordinary user; the other tests are run by one")
	}
	r, u := startDebian(t, "", htpasswd(t)), newUser(t)
	program, err := os.ReadFile(u.path)
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.MkdirTemp("", "berth-user-") // not below t.TempDir, which is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) }) // the test is over
	for i, v := range u.env {
		u.env[i] = strings.ReplaceAll(v, u.home, home)
	}
	u.home, u.path = home, filepath.Join(home, "berth")
	if err := os.Chmod(home, 0o755); err != nil { //nolint:gosec // others execute what is in it
		t.Fatal(err)
	}
	if err := os.WriteFile(u.path, program, 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	const nobody = 65534
	u.as = &syscall.Credential{Uid: nobody, Gid: nobody}
	if err := os.Chown(u.home, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if out := u.call("", "images"); strings.Contains(out.stderr, "permission denied") {
		t.Skip("an ordinary user cannot reach the test's directory: ", out.stderr)
	}
	if out, err := exec.Command("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "unshare", "-Ur", "true").CombinedOutput(); err != nil {
		t.Skipf("an ordinary user has no user namespace: %s", out)
	}
	want := u.seed()
	name := r.host + "/team/app:1"
	if got := u.call("secret", "login", "-u", "user", "--password-stdin", r.host); got.code != 0 {
		t.Fatalf("login: %+v", got)
	}
	u.ok("push", "app:1", name)
	u.forget()
	if got := u.ok("pull", "-q", name); got != want {
		t.Errorf("pulled %s, want %s", got, want)
	}
	u.ok("verify")
}

// A second pull asks for nothing but what the name stands for; a second push sends
// nothing but the manifest, and mounts what another repository has.
func TestLittleIsSent(t *testing.T) {
	r, u := startDebian(t, "", ""), newUser(t)
	p := startProxy(t, r.host)
	u.seed()
	u.ok("push", "app:1", p.host+"/team/app:1")
	p.seen()
	u.ok("push", "app:1", p.host+"/team/app:2")
	if list := p.seen(); count(list, "POST ") != 0 || count(list, "PUT ") != 1 {
		t.Errorf("second push: %q", list)
	}
	u.ok("tag", "app:1", p.host+"/team/app:1")
	u.ok("push", "app:1", p.host+"/other/app:1")
	if list := p.seen(); count(list, "POST ") != 4 || count(list, "PUT ") != 1 || count(list, "PATCH ") != 0 {
		t.Errorf("push to another repository: %q", list)
	}
	u.ok("pull", p.host+"/team/app:1")
	p.seen()
	u.ok("pull", p.host+"/team/app:1")
	// Registries that count pulls count the manifests they send, not HEAD.
	if list := p.seen(); count(list, "/blobs/") != 0 || count(list, "HEAD ") != 1 || count(list, "GET /v2/team/") != 0 {
		t.Errorf("second pull: %q", list)
	}
	digest := u.ok("pull", "-q", p.host+"/team/app:1")
	p.seen()
	u.ok("pull", p.host+"/team/app@"+digest)
	if list := p.seen(); len(list) != 0 {
		t.Errorf("pull of a digest that is there: %q", list)
	}
}

// What the environment says of proxies is done, but for whom it excepts.
func TestProxyOfTheEnvironment(t *testing.T) {
	r, u := startDebian(t, "", ""), newUser(t)
	p := startProxy(t, r.host)
	u.seed()
	u.ok("push", "app:1", r.host+"/team/app:1")
	u.env = append(u.env, "HTTP_PROXY=http://"+p.host)
	u.ok("pull", "--plain-http", "registry.invalid/team/app:1")
	if list := p.seen(); count(list, "/v2/team/app/manifests/1") == 0 {
		t.Errorf("the proxy saw %q", list)
	}
	u.env = append(u.env, "NO_PROXY=registry.invalid")
	u.refused([]string{"registry.invalid"}, "tags", "--plain-http", "registry.invalid/team/app")
	if list := p.seen(); len(list) != 0 {
		t.Errorf("the proxy saw %q", list)
	}
}

func TestHtpasswd(t *testing.T) {
	r, u := startDebian(t, "", htpasswd(t)), newUser(t)
	u.seed()
	name := r.host + "/team/app:1"
	u.refused([]string{"(401)", "hint: berth login " + r.host}, "push", "app:1", name)
	u.refused([]string{"(401)"}, "login", "-u", "user", "-p", "wrong", r.host)
	u.refused([]string{"no terminal", "--password-stdin"}, "login", r.host)
	if got := u.call("secret\n", "login", "-u", "user", "--password-stdin", r.host); got.code != 0 || !strings.Contains(got.stdout, "logged in to "+r.host) {
		t.Fatalf("login: %+v", got)
	}
	info, err := os.Stat(filepath.Join(u.home, ".docker", "config.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("credentials: %v, %v", info, err)
	}
	u.ok("push", "app:1", name)
	u.ok("pull", name)
	u.ok("logout", r.host)
	u.refused([]string{"(401)"}, "tags", r.host+"/team/app")
	u.refused([]string{"nobody is logged in"}, "logout", r.host)
	if got := u.ok("tags", "--creds", "user:secret", r.host+"/team/app"); got != "1" {
		t.Errorf("tags with --creds: %q", got)
	}
	auth := filepath.Join(u.home, "auth.json")
	u.ok("login", "--authfile", auth, "-u", "user", "-p", "secret", r.host)
	u.ok("pull", "--authfile", auth, name)
}

func TestTokens(t *testing.T) {
	a := newAuthority(t)
	tokens := startTokenServer(t, a)
	r, u := startDebian(t, "", tokens.config()), newUser(t)
	u.seed()
	name := r.host + "/team/app:1"
	u.refused([]string{"(401)"}, "push", "app:1", name)
	u.refused([]string{"(401)"}, "login", "-u", "user", "-p", "wrong", r.host)
	u.ok("login", "-u", "user", "-p", "secret", r.host)
	tokens.refuse.Store(2) // a token server that is busy is asked again
	u.ok("push", "app:1", name)
	u.ok("push", "app:1", r.host+"/other/app:1") // with a token for two repositories
	u.ok("logout", r.host)
	u.forget()
	tokens.issued.Store(0)
	u.ok("pull", name) // anonymously
	if n := tokens.issued.Load(); n != 1 {
		t.Errorf("%d tokens for one pull", n)
	}
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	config := "  tls: {certificate: " + a.path("server.crt") + ", key: " + a.path("server.key") + "}\n"
	r, u := startDebian(t, config, ""), newUser(t)
	u.seed()
	name := r.host + "/team/app:1"
	u.refused([]string{"certificate signed by unknown authority", "hint: "}, "push", "app:1", name)
	u.refused([]string{"("}, "push", "--plain-http", "app:1", name)
	u.ok("push", "--cert-dir", a.certDir(t, r.host, map[string]string{"ca.crt": "ca.crt"}), "app:1", name)
	u.ok("pull", "--tls-verify=false", name)

	// The same by the settings file.
	dir := filepath.Join(u.home, ".config", "berth")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "registries.toml"), "[[registry]]\nprefix = '"+r.host+"'\nca = '"+a.path("ca.crt")+"'\n")
	u.ok("pull", name)
	write(t, filepath.Join(dir, "registries.toml"), "[[registry]]\nprefx = 'x'\n")
	u.refused([]string{"registries.toml"}, "pull", name)
}

func TestClientCertificate(t *testing.T) {
	a := newAuthority(t)
	config := "  tls: {certificate: " + a.path("server.crt") + ", key: " + a.path("server.key") + ", clientcas: [" + a.path("ca.crt") + "]}\n"
	r, u := startDebian(t, config, ""), newUser(t)
	u.seed()
	name := r.host + "/team/app:1"
	ca := map[string]string{"ca.crt": "ca.crt"}
	// A reset may overtake the server's reason; what counts is that http is not tried.
	u.refused([]string{": "}, "push", "--cert-dir", a.certDir(t, r.host, ca), "app:1", name)
	if got := u.call("", "push", "--cert-dir", a.certDir(t, r.host, ca), "app:1", name); strings.Contains(got.stderr, "(400)") {
		t.Errorf("it was asked over http: %s", got.stderr)
	}
	u.ok("push", "--cert-dir", a.certDir(t, r.host, map[string]string{"ca.crt": "ca.crt", "me.cert": "client.crt", "me.key": "client.key"}), "app:1", name)
	u.refused([]string{"has no key"}, "push", "--cert-dir", a.certDir(t, r.host, map[string]string{"me.cert": "client.crt"}), "app:1", name)
}

func TestMirror(t *testing.T) {
	r, u := startDebian(t, "", ""), newUser(t)
	want := u.seed()
	u.ok("push", "app:1", r.host+"/mirror/team/app:1")
	u.forget()
	dir := filepath.Join(u.home, ".config", "berth")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	dead := freePort(t)
	write(t, filepath.Join(dir, "registries.toml"), `
[aliases]
short = "registry.example.invalid/team/app"
[[registry]]
prefix = "registry.example.invalid"
[[registry.mirror]]
location = "`+dead+`"
[[registry.mirror]]
location = "`+r.host+`/mirror"
[[registry]]
prefix = "registry.example.invalid/secret"
blocked = true
`)
	if got := u.ok("pull", "-q", "registry.example.invalid/team/app:1"); got != want {
		t.Errorf("by the mirror: %s", got)
	}
	if got := u.ok("pull", "-q", "short:1"); got != want {
		t.Errorf("by its short name: %s", got)
	}
	u.refused([]string{"block"}, "pull", "registry.example.invalid/secret/app:1")
	u.refused([]string{"registry.example.invalid"}, "pull", "registry.example.invalid/team/none:1")
}

// Faults of the way cost time, not the pull; the store is whole after each.
func TestFaults(t *testing.T) {
	r, u := startDebian(t, "", ""), newUser(t)
	want := u.seed()
	u.ok("push", "app:1", r.host+"/team/app:1")
	cut := func(n int64) func(io.Writer, io.Reader) error {
		return func(w io.Writer, r io.Reader) error {
			if _, err := io.CopyN(w, r, n); err != nil {
				return err
			}
			return io.ErrUnexpectedEOF
		}
	}
	for _, c := range []struct {
		title string
		fails string
		hurt  func(n int, w http.ResponseWriter, r *http.Request) (bool, func(io.Writer, io.Reader) error)
	}{
		{title: "cut streams", hurt: func(n int, _ http.ResponseWriter, r *http.Request) (bool, func(io.Writer, io.Reader) error) {
			if strings.Contains(r.URL.Path, "/blobs/") && n%2 == 0 {
				return false, cut(200_000)
			}
			return false, nil
		}},
		{title: "429", hurt: func(n int, w http.ResponseWriter, _ *http.Request) (bool, func(io.Writer, io.Reader) error) {
			if n%3 == 0 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
				return true, nil
			}
			return false, nil
		}},
		{title: "500", hurt: func(n int, w http.ResponseWriter, _ *http.Request) (bool, func(io.Writer, io.Reader) error) {
			if n%2 == 0 {
				w.WriteHeader(http.StatusInternalServerError)
				return true, nil
			}
			return false, nil
		}},
		{title: "slow", hurt: func(_ int, _ http.ResponseWriter, r *http.Request) (bool, func(io.Writer, io.Reader) error) {
			return false, func(w io.Writer, r io.Reader) error {
				for {
					if _, err := io.CopyN(w, r, 256<<10); err != nil {
						if err == io.EOF {
							return nil
						}
						return err
					}
					time.Sleep(20 * time.Millisecond) // that is what is slow
				}
			}
		}},
		{title: "wrong bytes", fails: "digest", hurt: func(_ int, _ http.ResponseWriter, r *http.Request) (bool, func(io.Writer, io.Reader) error) {
			if !strings.Contains(r.URL.Path, "/blobs/") {
				return false, nil
			}
			return false, func(w io.Writer, r io.Reader) error {
				var first [1]byte
				if _, err := io.ReadFull(r, first[:]); err != nil {
					return err
				}
				first[0] ^= 1
				if _, err := w.Write(first[:]); err != nil {
					return err
				}
				_, err := io.Copy(w, r)
				return err
			}
		}},
		{title: "wrong digest", fails: "digest", hurt: func(_ int, w http.ResponseWriter, r *http.Request) (bool, func(io.Writer, io.Reader) error) {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				return false, nil
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", want)
			_, _ = w.Write([]byte(`{"schemaVersion":2,"config":{},"layers":[]}`)) // the client may be gone
			return true, nil
		}},
		{title: "down", fails: "503", hurt: func(_ int, w http.ResponseWriter, _ *http.Request) (bool, func(io.Writer, io.Reader) error) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true, nil
		}},
	} {
		t.Run(c.title, func(t *testing.T) {
			p, u := startProxy(t, r.host), newUser(t)
			calls := make(chan int, 1)
			calls <- 0
			p.hurt = func(w http.ResponseWriter, r *http.Request) (bool, func(io.Writer, io.Reader) error) {
				n := <-calls
				if r.URL.Path != "/v2/" {
					n++
				}
				calls <- n
				return c.hurt(n, w, r)
			}
			name := p.host + "/team/app:1"
			if c.fails != "" {
				u.refused([]string{c.fails}, "pull", name)
				if got := u.ok("images", "-q"); got != "" {
					t.Errorf("the store has %q", got)
				}
				u.ok("verify")
				p.hurt = nil
			}
			if got := u.ok("pull", "-q", name); got != want {
				t.Errorf("pulled %s", got)
			}
			u.ok("verify")
		})
	}
}

// A pull that is killed leaves a store that is whole, and a second one fetches only
// what is missing.
func TestKilledPull(t *testing.T) {
	r, u := startDebian(t, "", ""), newUser(t)
	want := u.seed()
	u.ok("push", "app:1", r.host+"/team/app:1")
	p, other := startProxy(t, r.host), newUser(t)
	const sent = 1_000_000
	reached, release := make(chan struct{}, 1), make(chan struct{})
	p.hurt = func(_ http.ResponseWriter, _ *http.Request) (bool, func(io.Writer, io.Reader) error) {
		return false, func(w io.Writer, r io.Reader) error {
			_, err := io.CopyN(w, r, sent)
			if err == io.EOF {
				return nil // a small one
			}
			_ = http.NewResponseController(w.(http.ResponseWriter)).Flush() // the client may be gone
			reached <- struct{}{}
			<-release
			return io.ErrUnexpectedEOF
		}
	}
	cmd := exec.Command(other.path, "pull", p.host+"/team/app:1")
	cmd.Env = other.env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	// What it has written is seen in its store.
	for end := time.Now().Add(20 * time.Second); partial(other) < sent/2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing of the large blob comes into the store")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	close(release)
	other.ok("verify")
	p.hurt = nil
	p.seen()
	if got := other.ok("pull", "-q", p.host+"/team/app:1"); got != want {
		t.Errorf("pulled %s", got)
	}
	resumed := 0
	for _, q := range p.seen() {
		if strings.Contains(q, "/blobs/") && strings.Contains(q, "bytes=") && !strings.Contains(q, "bytes=0-") {
			resumed++
		}
	}
	if resumed == 0 {
		t.Error("the second pull began anew")
	}
	other.ok("verify")
}

// A prune beside a pull says for whom it waits, and waits; a digest has its own name.
func TestPruneWaitsForPull(t *testing.T) {
	r, u := startDebian(t, "", ""), newUser(t)
	want := u.seed()
	u.ok("push", "app:1", r.host+"/team/app:1")
	p, other := startProxy(t, r.host), newUser(t)
	reached, release := make(chan struct{}, 8), make(chan struct{})
	p.hurt = func(_ http.ResponseWriter, _ *http.Request) (bool, func(io.Writer, io.Reader) error) {
		return false, func(w io.Writer, r io.Reader) error {
			reached <- struct{}{}
			<-release
			_, err := io.Copy(w, r)
			return err
		}
	}
	name := p.host + "/team/app@" + want
	pull := exec.Command(other.path, "pull", "-q", name)
	pull.Env = other.env
	if err := pull.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	prune := exec.Command(other.path, "prune")
	prune.Env = other.env
	said, err := prune.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := prune.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil || line != fmt.Sprintf("waiting for berth pull (process %d) to finish with the store\n", pull.Process.Pid) {
		t.Errorf("prune says %q, %v", line, err)
	}
	close(release)
	if err := pull.Wait(); err != nil {
		t.Errorf("pull: %v", err)
	}
	if err := prune.Wait(); err != nil {
		t.Errorf("prune: %v", err)
	}
	p.hurt = nil
	if list := other.ok("images", "--digests"); !strings.Contains(list, p.host+"/team/app") || !strings.Contains(list, want) {
		t.Errorf("after the prune there is\n%s", list)
	}
	other.ok("tag", name, "app:2")
	other.ok("rmi", name)
	other.ok("pull", name)
	if list := other.ok("images", "--format", "json"); !strings.Contains(list, `"`+name+`"`) || !strings.Contains(list, "app:2") {
		t.Errorf("the names are\n%s", list)
	}
}

// partial is the size of the largest file below ingest in the store.
func partial(u *user) int64 {
	most := int64(0)
	_ = filepath.WalkDir(filepath.Join(u.home, "store"), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.Contains(path, "ingest") {
			if info, err := e.Info(); err == nil {
				most = max(most, info.Size())
			}
		}
		return nil
	}) // files come and go meanwhile
	return most
}
