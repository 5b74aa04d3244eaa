package registry

import (
	"fmt"
	"net"
	"strings"

	"berth/image"
)

// dockerHub is how images name Docker's registry, dockerHubHost where it answers.
const (
	dockerHub     = "docker.io"
	dockerHubHost = "registry-1.docker.io"
)

// endpoint is one place where a repository is: the registry or a mirror of it.
type endpoint struct {
	// name is the registry as users write it and credentials are stored for.
	name string
	// host is where it answers: host[:port].
	host string
	// repo is the repository there, which a mirror may keep below a path.
	repo string

	plainHTTP bool
	insecure  bool
	mirror    bool
	realms    []string
	entry     *Entry
}

// String is the repository at this place, for messages.
func (ep endpoint) String() string { return ep.name + "/" + ep.repo }

// endpoints are the places to ask for a repository, in order. byDigest tells that
// what is asked for is named by its digest, so that any mirror is as good.
func (c *Client) endpoints(ref image.Reference, byDigest, write bool) ([]endpoint, error) {
	name := ref.Name()
	e := c.o.Settings.find(name)
	if e == nil {
		return []endpoint{c.place(name, nil)}, nil
	}
	if e.Blocked {
		return nil, fmt.Errorf("image %s: the registry settings block %s", ref, e.Prefix)
	}
	var list []endpoint
	for _, m := range e.Mirrors {
		digestOnly := e.MirrorByDigestOnly || m.PullFrom == "digest-only"
		if write || digestOnly && !byDigest || m.PullFrom == "tag-only" && ref.Digest() != "" {
			continue
		}
		ep := c.place(e.replace(name, m.Location), nil)
		ep.insecure = ep.insecure || m.Insecure
		ep.plainHTTP = ep.plainHTTP || m.PlainHTTP
		ep.mirror = true
		list = append(list, ep)
	}
	return append(list, c.place(e.replace(name, e.Location), e)), nil
}

// replace puts a location in the prefix's place.
func (e *Entry) replace(name, location string) string {
	if location == "" {
		return name
	}
	if strings.HasPrefix(e.Prefix, "*.") {
		_, rest, _ := strings.Cut(name, "/") // the location takes the host's place
		return location + "/" + rest
	}
	return location + name[len(e.Prefix):]
}

// place turns host/repository into an endpoint, with the settings of an entry.
func (c *Client) place(name string, e *Entry) endpoint {
	host, repo, _ := strings.Cut(name, "/")
	ep := c.registryPlace(host, e)
	ep.repo = repo
	if host == dockerHub && !strings.Contains(repo, "/") {
		ep.repo = "library/" + repo
	}
	return ep
}

// registryPlace is a registry without a repository.
func (c *Client) registryPlace(host string, e *Entry) endpoint {
	if e == nil {
		// A location or a mirror may have settings of its own; its mirrors and
		// its location are not followed, so there are no circles.
		e = c.o.Settings.find(host)
	}
	ep := endpoint{name: host, host: host, plainHTTP: c.o.PlainHTTP, insecure: c.o.Insecure, entry: e}
	if host == dockerHub || host == "index.docker.io" {
		ep.name, ep.host = dockerHub, dockerHubHost
	}
	if e != nil {
		ep.plainHTTP = ep.plainHTTP || e.PlainHTTP
		ep.insecure = ep.insecure || e.Insecure
		ep.realms = e.TokenRealms
	}
	return ep
}

// hostname is a host without its port and the brackets of IPv6.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// isLoopback tells hosts that are this machine by their name: no lookup is made,
// because the answer of a name server proves nothing.
func isLoopback(host string) bool {
	name := hostname(host)
	if name == "localhost" {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}
