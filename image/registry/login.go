package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Login asks a registry whether it takes a user's password, and returns what to
// store: an identity token where the registry gives one, else user and password.
func (c *Client) Login(ctx context.Context, host, user, password string) (authn.AuthConfig, error) {
	ep := c.registryPlace(host, nil)
	c.hosts.permit(ep)
	s := newSession(c, ep)
	s.auth = &authn.AuthConfig{Username: user, Password: password}
	q := call{
		op: "log in to", object: ep.name,
		method: http.MethodGet, path: "",
		want: []int{http.StatusOK},
	}
	resp, err := s.send(ctx, q)
	if err != nil {
		return authn.AuthConfig{}, notTaken(err)
	}
	drop(resp)
	if s.challenge == nil {
		c.o.Notice(fmt.Sprintf("registry %s: it asks nobody for credentials", ep.name))
		return *s.auth, nil
	}
	if s.challenge.scheme != "bearer" {
		return *s.auth, nil
	}
	if s.withheld != "" {
		return authn.AuthConfig{}, &hinted{
			fmt.Errorf("log in to %s: its token server %s is of another domain; the password was not sent", ep.name, s.withheld),
			fmt.Sprintf("token-realms = [%q] for %s in registries.toml permits it", s.withheld, ep.name),
		}
	}
	t, err := s.fetchToken(ctx, s.scheme, nil, *s.auth, true)
	if err != nil {
		return authn.AuthConfig{}, notTaken(err)
	}
	if t.refresh != "" {
		return authn.AuthConfig{Username: user, IdentityToken: t.refresh}, nil
	}
	return *s.auth, nil
}

// notTaken says to who logs in what logging in would not mend.
func notTaken(err error) error {
	var refused *Error
	if errors.As(err, &refused) && errors.Is(err, ErrDenied) && refused.hint == "" {
		refused.hint = "the user name or the password is wrong; some registries want an access token in the place of the password"
	}
	return err
}

// Host is how credentials for a registry are stored: what a user writes,
// which may be a URL or hold a repository, without scheme and path.
func Host(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
	s, _, _ = strings.Cut(s, "/")
	switch s {
	case "", "index.docker.io", dockerHubHost:
		return dockerHub
	}
	return s
}
