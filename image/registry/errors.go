package registry

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"berth/image"
)

// ErrDenied says that a registry wants other credentials, or any.
var ErrDenied = errors.New("access denied")

// errBadAnswer marks answers that break the protocol or the checks of this package:
// asking again would not help.
var errBadAnswer = errors.New("bad answer")

// errRedirect marks redirects that are not followed.
var errRedirect = errors.New("redirect refused")

// Error is a registry's refusal.
type Error struct {
	// Op and Object are what was done: "get manifest", "docker.io/library/x:1".
	Op, Object string
	// Status is the answer's.
	Status int
	// Code is the registry's first error code, as MANIFEST_UNKNOWN; it may be empty.
	Code string
	// Message is what the registry says, cleaned and cut.
	Message string
	// Login is the registry to log in to, when that may help.
	Login string

	hint  string        // in place of what Hint would say
	after time.Duration // what the registry wants to be waited
}

// Error is "operation object: cause (status)".
func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %s (%d)", e.Op, e.Object, e.Message, e.Status)
}

// Is tells image.ErrNotFound and ErrDenied.
func (e *Error) Is(target error) bool {
	switch target {
	case image.ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrDenied:
		return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
	}
	return false
}

// Hint is what the user may do about it, empty if nothing is known.
func (e *Error) Hint() string {
	switch {
	case e.hint != "":
		return e.hint
	case e.Login != "" && e.Status == http.StatusUnauthorized:
		return "berth login " + e.Login
	case e.Login != "" && e.Status == http.StatusForbidden:
		return "the name may be misspelt, or another account is needed: berth login " + e.Login
	case e.Status == http.StatusTooManyRequests && e.Login != "":
		return "registries limit what nobody is logged in for: berth login " + e.Login
	}
	return ""
}

// refusal makes the error of an answer, and reads and closes it.
func refusal(op, object string, resp *http.Response) *Error {
	defer resp.Body.Close() // only read
	e := &Error{Op: op, Object: object, Status: resp.StatusCode, after: retryAfter(resp.Header, time.Now()), Message: strings.ToLower(http.StatusText(resp.StatusCode))}
	if e.Message == "" {
		e.Message = "unexpected status"
	}
	var te *transport.Error
	if err := transport.CheckError(resp); errors.As(err, &te) && len(te.Errors) > 0 {
		e.Code = clean(string(te.Errors[0].Code))
		e.Message = strings.ToLower(strings.ReplaceAll(e.Code, "_", " "))
		if m := clean(te.Errors[0].Message); m != "" {
			e.Message = m
		}
	}
	return e
}

// bad is an error that no retry mends.
func bad(format string, args ...any) error {
	return &badAnswer{fmt.Errorf(format, args...)}
}

type badAnswer struct{ error }

func (b *badAnswer) Unwrap() error        { return b.error }
func (b *badAnswer) Is(target error) bool { return target == errBadAnswer }

// clean keeps a stranger's text from steering a terminal, and short.
func clean(s string) string {
	const most = 200
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return strings.TrimSpace(s)
}
