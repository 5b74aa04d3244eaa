package registry

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// The rule for token servers. A registry answers 401 and names a realm: the token
// server that the client shall ask, possibly on another host. Whoever can write
// that answer could name a host of his own and collect the password there
// (CVE-2020-15157, CVE-2026-65388). So:
//
//  1. The realm is an https URL; http only where the registry itself is asked over
//     http.
//  2. It is not a loopback, private or link-local address, except where the
//     registry is on such an address or a settings file names it: a registry on the
//     internet has no business in this network.
//  3. Credentials go there only if its host is the registry's own, is of the same
//     registrable domain (auth.docker.io for registry-1.docker.io, by the public
//     suffix list), or is named in token-realms of the settings file. The port does
//     not matter, except that no domain is shared by numeric addresses.
//  4. Any other realm is asked for an anonymous token.
//
// Redirects of a token server are followed within its own scheme, host and port.

// realm is a token server, checked.
type realm struct {
	url *url.URL
	// trusted permits credentials.
	trusted bool
}

// checkRealm carries out the rule. scheme is how the registry was asked.
func checkRealm(raw, scheme string, ep endpoint) (realm, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return realm{}, fmt.Errorf("token server %q: it is not a URL of a server", clean(raw))
	}
	if u.Scheme != "https" && (u.Scheme != "http" || scheme != "http") {
		return realm{}, fmt.Errorf("token server %q: a registry on %s may not send clients to %s", clean(raw), scheme, clean(u.Scheme))
	}
	r := realm{url: u, trusted: trustsRealm(u.Host, ep)}
	if isInner(u.Host) && !isInner(ep.host) && !r.trusted {
		return realm{}, fmt.Errorf("token server %q: a registry outside may not send clients to an address of this network", clean(raw))
	}
	return r, nil
}

func trustsRealm(host string, ep endpoint) bool {
	for _, r := range ep.realms {
		if r == host || r == hostname(host) {
			return true
		}
	}
	a, b := strings.ToLower(hostname(host)), strings.ToLower(hostname(ep.host))
	return a == b || sameDomain(a, b)
}

// sameDomain tells names below the same registrable domain.
func sameDomain(a, b string) bool {
	if net.ParseIP(a) != nil || net.ParseIP(b) != nil {
		return false
	}
	da, err := publicsuffix.EffectiveTLDPlusOne(a)
	if err != nil {
		return false
	}
	db, err := publicsuffix.EffectiveTLDPlusOne(b)
	return err == nil && da == db
}

// isInner tells the addresses of this machine and this network, written as such.
func isInner(host string) bool {
	if isLoopback(host) {
		return true
	}
	ip := net.ParseIP(hostname(host))
	return ip != nil && (ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsLoopback() || ip.IsUnspecified())
}
