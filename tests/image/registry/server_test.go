package registry

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// secretHash is "secret" as htpasswd -B writes it.
const secretHash = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"

// debian is a running docker-registry of Debian's.
type debian struct {
	host string // 127.0.0.1:PORT
	dir  string
}

// startDebian starts one; config is what comes into its configuration besides
// storage and address, which goes below http.
func startDebian(t *testing.T, http, config string) *debian {
	t.Helper()
	path, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed (apt-get install docker-registry)")
	}
	r := &debian{host: freePort(t), dir: t.TempDir()}
	text := "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: " + filepath.Join(r.dir, "data") + "}, delete: {enabled: true}}\n" +
		"http:\n  addr: " + r.host + "\n" + http + config
	file := filepath.Join(r.dir, "config.yml")
	write(t, file, text)
	var log bytes.Buffer
	cmd := exec.Command(path, "serve", file)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", r.host)
		if err == nil {
			_ = c.Close() // it was opened to see that it opens
			return r
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("docker-registry has ended: %v\n%s", err, log.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("docker-registry does not listen: %v", err)
		}
	}
}

// freePort is a loopback address that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it is only to be free again
	return l.Addr().String()
}

func htpasswd(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "htpasswd")
	write(t, file, "user:"+secretHash+"\n")
	return "auth: {htpasswd: {realm: test, path: " + file + "}}\n"
}

// authority is a certificate authority for a test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes one, with a server's certificate for 127.0.0.1, a client's,
// and files of them in dir.
func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.issue(t, "server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	a.issue(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) issue(t *testing.T, name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.Subject = pkix.Name{CommonName: "berth test " + name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, parentKey := a.cert, a.key
	if parent == nil {
		parent, parentKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, a.path(name+".crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, a.path(name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

// certDir makes a directory for --cert-dir with files of the authority.
func (a *authority) certDir(t *testing.T, host string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, host), 0o755); err != nil {
		t.Fatal(err)
	}
	for as, name := range files {
		raw, err := os.ReadFile(a.path(name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, host, as), string(raw))
	}
	return dir
}

// proxy stands before a registry, breaks what hurt says, and counts.
type proxy struct {
	host   string
	target string
	// hurt may answer itself: then it returns true. It may also return a change of
	// the answer's body.
	hurt func(w http.ResponseWriter, r *http.Request) (answered bool, body func(io.Writer, io.Reader) error)

	requests chan string
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{target: target, requests: make(chan string, 100_000)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.host = l.Addr().String()
	server := &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	go server.Serve(l)                       //nolint:errcheck // it ends with Close
	t.Cleanup(func() { _ = server.Close() }) // the test is over
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return p
}

// ServeHTTP hands a request on.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.requests <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Range")
	copyBody := func(w io.Writer, r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	}
	if p.hurt != nil {
		answered, body := p.hurt(w, r)
		if answered {
			return
		}
		if body != nil {
			copyBody = body
		}
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+p.target+r.URL.RequestURI(), r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header, out.ContentLength, out.Host = r.Header.Clone(), r.ContentLength, r.Host
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close() // only read
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	if err := copyBody(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// seen takes the requests so far.
func (p *proxy) seen() []string {
	var list []string
	for {
		select {
		case q := <-p.requests:
			list = append(list, q)
		default:
			return list
		}
	}
}

// count counts the requests that hold a text.
func count(list []string, text string) int {
	n := 0
	for _, q := range list {
		if strings.Contains(q, text) {
			n++
		}
	}
	return n
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // other users read it
		t.Fatal(err)
	}
}
