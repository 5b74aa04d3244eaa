package registry

import (
	"net/http"
	"strings"
)

// challenge is one way of authentication that a server offers (RFC 9110, 11.6.1).
type challenge struct {
	scheme string // in lower case
	params map[string]string
}

// challenges reads all WWW-Authenticate headers. What cannot be read ends the list:
// it comes from a stranger and is worth no guess.
func challenges(h http.Header) []challenge {
	var list []challenge
	for _, line := range h.Values("WWW-Authenticate") {
		p := challengeParser{rest: line}
		for {
			c, ok := p.challenge()
			if !ok {
				break
			}
			list = append(list, c)
		}
	}
	return list
}

// pickChallenge prefers bearer, which keeps the password from the registry, to
// basic; nil when neither is offered.
func pickChallenge(list []challenge) *challenge {
	for _, scheme := range []string{"bearer", "basic"} {
		for i := range list {
			if list[i].scheme == scheme {
				return &list[i]
			}
		}
	}
	return nil
}

type challengeParser struct{ rest string }

// challenge reads a scheme and its parameters, up to the next scheme.
func (p *challengeParser) challenge() (challenge, bool) {
	p.skip(" \t,")
	scheme := p.token()
	if scheme == "" {
		return challenge{}, false
	}
	c := challenge{scheme: strings.ToLower(scheme), params: map[string]string{}}
	for {
		p.skip(" \t,")
		before := p.rest
		name := p.token()
		p.skip(" \t")
		if name == "" || !strings.HasPrefix(p.rest, "=") {
			p.rest = before // it is the next scheme, or the end
			return c, true
		}
		p.rest = p.rest[1:]
		p.skip(" \t")
		value, ok := p.value()
		if !ok {
			p.rest = ""
			return c, true
		}
		name = strings.ToLower(name)
		if _, twice := c.params[name]; !twice {
			c.params[name] = value
		}
	}
}

func (p *challengeParser) skip(set string) { p.rest = strings.TrimLeft(p.rest, set) }

// token is a token of RFC 9110, 5.6.2, empty at anything else.
func (p *challengeParser) token() string {
	n := 0
	for n < len(p.rest) && isTokenByte(p.rest[n]) {
		n++
	}
	t := p.rest[:n]
	p.rest = p.rest[n:]
	return t
}

func isTokenByte(b byte) bool {
	return b > ' ' && b < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(b))
}

// value is a token or a quoted string.
func (p *challengeParser) value() (string, bool) {
	if !strings.HasPrefix(p.rest, `"`) {
		t := p.token()
		return t, t != ""
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case '\\':
			i++
			if i == len(p.rest) {
				return "", false
			}
		}
		b.WriteByte(p.rest[i])
	}
	return "", false
}
