package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

// hosts is the lowest transport: one http.Transport per host, so that a client
// certificate, an authority or a switched-off check that is meant for one host
// never counts for another one that it redirects to.
type hosts struct {
	certDirs []string
	dial     time.Duration

	mu    sync.Mutex
	trust map[string]trust
	m     map[place]*http.Transport
}

// place is a host as it is trusted now.
type place struct {
	host string
	trust
}

// trust is what the settings say of a host.
type trust struct {
	// plain permits http.
	plain bool
	// insecure accepts any certificate.
	insecure      bool
	ca, cert, key string
}

// errPlainHTTP refuses http to a host it is not permitted for.
var errPlainHTTP = errors.New("it would be asked over plain http, which is for loopback and with --plain-http only")

// permit notes what is allowed for the host of an endpoint. Of a host that is checked
// as one endpoint and not as another, as an insecure mirror say, everything is checked.
func (h *hosts) permit(ep endpoint) {
	t := trust{plain: ep.plainHTTP || ep.insecure || isLoopback(ep.host), insecure: ep.insecure}
	if ep.entry != nil && !ep.mirror {
		t.ca, t.cert, t.key = ep.entry.CA, ep.entry.ClientCert, ep.entry.ClientKey
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if old, ok := h.trust[ep.host]; ok {
		t.plain = t.plain || old.plain
		t.insecure = t.insecure && old.insecure
	}
	h.trust[ep.host] = t
}

// RoundTrip sends a request by its host's transport.
func (h *hosts) RoundTrip(req *http.Request) (*http.Response, error) {
	t, err := h.transport(req.URL.Scheme, req.URL.Host)
	if err != nil {
		return nil, err
	}
	return t.RoundTrip(req)
}

func (h *hosts) transport(scheme, host string) (*http.Transport, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.m == nil {
		h.m = map[place]*http.Transport{}
	}
	rules := h.trust[host]
	if scheme == "http" && !rules.plain && !isLoopback(host) {
		return nil, errPlainHTTP
	}
	at := place{host, rules}
	if t, ok := h.m[at]; ok {
		return t, nil
	}
	config, err := h.tls(host, rules)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: h.dial, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: h.dial,
		ForceAttemptHTTP2:   true,
		// A compressed answer would have neither the length nor the ranges that
		// were asked for.
		DisableCompression:  true,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     90 * time.Second,
		ReadBufferSize:      32 << 10,
		WriteBufferSize:     32 << 10,
	}
	h.m[at] = t
	return t, nil
}

func (h *hosts) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.m {
		t.CloseIdleConnections()
	}
}

// tls is how a host is trusted and what it is shown.
func (h *hosts) tls(host string, rules trust) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: rules.insecure}
	files := certFiles{}
	for _, dir := range h.certDirs {
		found, err := readCertDir(dir, host)
		if err != nil {
			return nil, err
		}
		if found != nil {
			files = *found
			break
		}
	}
	if rules.ca != "" {
		files.authorities = append(files.authorities, rules.ca)
	}
	if rules.cert != "" {
		files.pairs = append(files.pairs, [2]string{rules.cert, rules.key})
	}
	return config, files.load(config)
}

// certFiles are the files of one host.
type certFiles struct {
	authorities []string
	pairs       [][2]string // certificate, key
}

// readCertDir looks into dir/host, as containers-certs.d(5) and docker describe it;
// nil when there is no such directory.
func readCertDir(dir, host string) (*certFiles, error) {
	if strings.ContainsAny(host, "/\\") || host == "" || host == "." || host == ".." {
		return nil, nil
	}
	dir = filepath.Join(dir, host)
	entries, err := os.ReadDir(dir)
	if err != nil {
		// Docker's directory may be closed to users: then it is not for them.
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
			return nil, nil
		}
		return nil, fmt.Errorf("certificates of %s: %w", host, err)
	}
	files := &certFiles{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch filepath.Ext(e.Name()) {
		case ".crt":
			files.authorities = append(files.authorities, path)
		case ".cert":
			key := strings.TrimSuffix(path, ".cert") + ".key"
			if _, err := os.Stat(key); err != nil {
				return nil, fmt.Errorf("certificates of %s: %s has no key: %w", host, path, err)
			}
			files.pairs = append(files.pairs, [2]string{path, key})
		}
	}
	sort.Strings(files.authorities)
	return files, nil
}

func (f certFiles) load(config *tls.Config) error {
	if len(f.authorities) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		for _, path := range f.authorities {
			pem, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("certificate authority: %w", err)
			}
			if !pool.AppendCertsFromPEM(pem) {
				return fmt.Errorf("certificate authority %s: it holds no certificate in PEM", path)
			}
		}
		config.RootCAs = pool
	}
	for _, pair := range f.pairs {
		cert, err := tls.LoadX509KeyPair(pair[0], pair[1])
		if err != nil {
			return fmt.Errorf("client certificate %s: %w", pair[0], err)
		}
		config.Certificates = append(config.Certificates, cert)
	}
	return nil
}

// DefaultCertDirs is where certificates of registries are for the user who runs
// this process: berth's, then containers', then docker's.
func DefaultCertDirs() []string {
	var dirs []string
	if user := userConfigDir(); user != "" {
		dirs = append(dirs, filepath.Join(user, "berth", "certs.d"), filepath.Join(user, "containers", "certs.d"))
	}
	return append(dirs, "/etc/berth/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d")
}
