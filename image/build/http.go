package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"time"

	"berth/image"

	"github.com/opencontainers/go-digest"
)

// download is a file from the web.
type download struct {
	name   string // the last part of the URL's path; empty if it has none
	digest digest.Digest
}

// get writes what a URL has into a new file of a directory, 0600 and with the time of
// Last-Modified.
func get(ctx context.Context, address, dir, file string) (d download, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return d, err
	}
	if base := path.Base(u.Path); base != "." && base != "/" {
		d.name = base
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return d, err
	}
	req.Header.Set("User-Agent", "berth")
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 20 * time.Second, ResponseHeaderTimeout: time.Minute,
		// What is fetched is what its digest will be of: not unpacked on the way.
		DisableCompression: true, ForceAttemptHTTP2: true,
	}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: noDowngrade}
	resp, err := client.Do(req)
	if err != nil {
		return d, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return d, fmt.Errorf("get %s: %s", u.Redacted(), resp.Status)
	}
	return d, d.save(resp, filepath.Join(dir, file))
}

// noDowngrade refuses to leave TLS.
func noDowngrade(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("redirected from https to %s", req.URL.Redacted())
	}
	return nil
}

func (d *download) save(resp *http.Response, file string) error {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	sum := digest.SHA256.Digester()
	n, err := io.Copy(io.MultiWriter(out, sum.Hash()), io.LimitReader(resp.Body, image.MaxBlob))
	if err != nil {
		return fmt.Errorf("read %s: %w", resp.Request.URL.Redacted(), err)
	}
	if resp.ContentLength >= 0 && n != resp.ContentLength {
		return fmt.Errorf("read %s: %d bytes of %d", resp.Request.URL.Redacted(), n, resp.ContentLength)
	}
	d.digest = sum.Digest()
	if err := out.Close(); err != nil {
		return err
	}
	modified := time.Unix(0, 0)
	if t, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		modified = t
	}
	return os.Chtimes(file, modified, modified)
}
