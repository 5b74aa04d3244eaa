package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/image"
)

// Limits on lists: a page in bytes, and the names in all.
const (
	maxPage  = 16 << 20
	maxNames = 1_000_000
)

// Tags calls page with the tags of a repository, as they come.
func (c *Client) Tags(ctx context.Context, ref image.Reference, page func([]string) error) error {
	return c.each(ctx, ref, false, func(s *session) error {
		q := call{
			op: "list tags", object: s.ep.String(),
			method: http.MethodGet, path: s.ep.repo + "/tags/list", query: url.Values{"n": {"1000"}},
			scopes: []string{pullScope(s.ep.repo)}, want: []int{http.StatusOK},
		}
		return s.names(ctx, q, page)
	})
}

// Catalog calls page with the repositories of a registry. Many registries have no
// catalog, or none for everybody.
func (c *Client) Catalog(ctx context.Context, host string, page func([]string) error) error {
	s := c.session(c.registryPlace(host, nil))
	q := call{
		op: "list repositories", object: s.ep.name,
		method: http.MethodGet, path: "_catalog", query: url.Values{"n": {"1000"}},
		scopes: []string{"registry:catalog:*"}, want: []int{http.StatusOK},
	}
	return s.names(ctx, q, page)
}

// names calls page with the names on each page, of tags or of repositories.
func (s *session) names(ctx context.Context, q call, page func([]string) error) error {
	return s.pages(ctx, q, func(raw []byte) (int, error) {
		var list struct {
			Tags         []string `json:"tags"`
			Repositories []string `json:"repositories"`
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return 0, &badAnswer{err}
		}
		names := slices.Concat(list.Tags, list.Repositories)
		for i, name := range names {
			names[i] = clean(name)
		}
		return len(names), page(names)
	})
}

// pages follows the links from page to page (distribution specification, "Listing
// Tags"). take returns how many entries a page has; one without any is the last.
func (s *session) pages(ctx context.Context, q call, take func([]byte) (int, error)) error {
	total := 0
	for {
		var raw []byte
		var next string
		err := s.whole(ctx, q, func(resp *http.Response) error {
			var err error
			raw, err = readAnswer(resp, maxPage)
			next = nextLink(resp.Header)
			return err
		})
		if err != nil {
			return err
		}
		n, err := take(raw)
		if err != nil {
			return fmt.Errorf("%s %s: %w", q.op, q.object, err)
		}
		if total += n; total > maxNames {
			return bad("%s %s: there are more than %d", q.op, q.object, maxNames)
		}
		if next == "" || n == 0 {
			return nil
		}
		if q.url, err = s.follow(next); err != nil {
			return fmt.Errorf("%s %s: %w", q.op, q.object, err)
		}
	}
}

// nextLink reads the Link header (RFC 8288), empty on the last page.
func nextLink(h http.Header) string {
	for _, link := range strings.Split(h.Get("Link"), ",") {
		target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
		if !ok || !strings.HasPrefix(target, "<") {
			continue
		}
		for _, p := range strings.Split(params, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			if strings.EqualFold(name, "rel") && strings.Trim(value, `"`) == "next" {
				return target[1:]
			}
		}
	}
	return ""
}

// follow makes a URL of a link. It stays at the registry: a registry behind a proxy
// may name itself wrongly, and one that names another is not believed.
func (s *session) follow(link string) (*url.URL, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, bad("link %q: it is not a URL", clean(link))
	}
	s.mu.Lock()
	base := &url.URL{Scheme: s.scheme, Host: s.ep.host, Path: "/v2/"}
	s.mu.Unlock()
	u = base.ResolveReference(u)
	u.Scheme, u.Host, u.User = base.Scheme, base.Host, nil
	if !strings.HasPrefix(u.Path, "/v2/") {
		return nil, bad("link %q: it leaves the registry", clean(link))
	}
	return u, nil
}

// Referrers lists the manifests that have another as their subject: signatures,
// attestations. artifactType, if not empty, picks those of a type. Registries
// without the API keep the list under a tag.
func (c *Client) Referrers(ctx context.Context, ref image.Reference, subject image.Descriptor, artifactType string) ([]image.Descriptor, error) {
	if err := image.CheckDigest(subject.Digest); err != nil {
		return nil, err
	}
	var list []image.Descriptor
	err := c.each(ctx, ref, true, func(s *session) error {
		found, err := s.referrers(ctx, subject, artifactType)
		list = found
		return err
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(d image.Descriptor) bool {
		return artifactType != "" && d.ArtifactType != artifactType
	}), nil
}

func (s *session) referrers(ctx context.Context, subject image.Descriptor, artifactType string) ([]image.Descriptor, error) {
	q := call{
		op: "list referrers", object: s.ep.String() + "@" + subject.Digest.String(),
		method: http.MethodGet, path: s.ep.repo + "/referrers/" + subject.Digest.String(),
		header: http.Header{"Accept": {ocispec.MediaTypeImageIndex}},
		scopes: []string{pullScope(s.ep.repo)}, want: []int{http.StatusOK},
	}
	if artifactType != "" {
		q.query = url.Values{"artifactType": {artifactType}}
	}
	var list []image.Descriptor
	err := s.pages(ctx, q, func(raw []byte) (int, error) {
		m, err := image.ParseManifest(ocispec.MediaTypeImageIndex, raw)
		if err != nil {
			return 0, &badAnswer{err}
		}
		if list = append(list, m.Index.Manifests...); len(list) > image.MaxIndex {
			return 0, bad("there are more than %d", image.MaxIndex)
		}
		return len(m.Index.Manifests), nil
	})
	var refused *Error
	if errors.As(err, &refused) && slices.Contains([]int{http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed}, refused.Status) {
		return s.referrersTag(ctx, subject)
	}
	return list, err
}

// referrersTag reads the fallback of the specification ("Referrers Tag Schema").
func (s *session) referrersTag(ctx context.Context, subject image.Descriptor) ([]image.Descriptor, error) {
	tag := strings.Replace(subject.Digest.String(), ":", "-", 1)
	_, raw, err := s.manifest(ctx, tag, image.Descriptor{Size: -1})
	if errors.Is(err, image.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := image.ParseManifest(ocispec.MediaTypeImageIndex, raw)
	if err != nil {
		return nil, err
	}
	return m.Index.Manifests, nil
}

// Found is a repository that a search has found.
type Found struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Stars       int    `json:"stars,omitempty"`
	Official    bool   `json:"official,omitempty"`
}

// Search finds repositories at a registry whose name holds a term: by Docker Hub's
// search, else in the catalog, else by the search that other registries took over
// from Docker's first version. At most limit are returned.
func (c *Client) Search(ctx context.Context, host, term string, limit int) ([]Found, error) {
	if Host(host) == dockerHub {
		return c.searchV1(ctx, "index.docker.io", term, limit)
	}
	var list []Found
	full := errors.New("the limit is reached")
	err := c.Catalog(ctx, host, func(names []string) error {
		for _, name := range names {
			if !strings.Contains(name, strings.ToLower(term)) {
				continue
			}
			if list = append(list, Found{Name: host + "/" + name}); len(list) == limit {
				return full
			}
		}
		return nil
	})
	if err == nil || len(list) == limit {
		return list, nil
	}
	if found, v1 := c.searchV1(ctx, host, term, limit); v1 == nil {
		return found, nil
	}
	return nil, err
}

func (c *Client) searchV1(ctx context.Context, host, term string, limit int) ([]Found, error) {
	ep := c.registryPlace(host, nil)
	if host == "index.docker.io" {
		ep.host = host
	}
	s := c.session(ep)
	scheme, err := s.speak(ctx)
	if err != nil {
		return nil, fmt.Errorf("search %s: %w", host, err)
	}
	q := call{
		op: "search", object: host, method: http.MethodGet, want: []int{http.StatusOK},
		url: &url.URL{Scheme: scheme, Host: ep.host, Path: "/v1/search", RawQuery: url.Values{"q": {term}, "n": {strconv.Itoa(limit)}}.Encode()},
	}
	var answer struct {
		Results []struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			StarCount   int    `json:"star_count"`
			IsOfficial  bool   `json:"is_official"`
		} `json:"results"`
	}
	err = s.whole(ctx, q, func(resp *http.Response) error {
		raw, err := readAnswer(resp, maxPage)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			return bad("its answer is not what it should be: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var list []Found
	for _, r := range answer.Results {
		if len(list) == limit {
			break
		}
		list = append(list, Found{clean(r.Name), clean(r.Description), r.StarCount, r.IsOfficial})
	}
	return list, nil
}
