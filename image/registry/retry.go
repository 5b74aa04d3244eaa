package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxBackoff is the longest wait that berth chooses itself.
const maxBackoff = 15 * time.Second

// pause waits before attempt number n (from 1). asked is what the server wants to
// be waited, 0 if it says nothing.
func (c *Client) pause(ctx context.Context, n int, asked time.Duration) error {
	wait := c.o.Backoff << min(n-1, 10)
	wait = min(wait, maxBackoff)
	// Half of it is random: many clients that failed together shall not come back
	// together.
	wait = wait/2 + rand.N(wait/2+1)
	wait = max(wait, asked)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// retryStatus tells answers after which the same request may succeed.
func retryStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// retryError tells faults of the way, not of what was asked.
func retryError(err error) bool {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var verify *tls.CertificateVerificationError
	var dns *net.DNSError
	var cured *hinted
	switch {
	case errors.Is(err, errSilent):
		return true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, errPlainHTTP), errors.Is(err, errRedirect), errors.Is(err, errBadAnswer):
		return false
	case errors.As(err, &cured), tlsAlert(err):
		return false
	case errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &name), errors.As(err, &verify):
		return false
	case errors.As(err, &dns):
		return !dns.IsNotFound
	case errors.Is(err, syscall.ECONNREFUSED):
		// Nobody listens there; a mirror or the user can do better than wait long.
		return false
	}
	var re *Error
	if errors.As(err, &re) {
		return retryStatus(re.Status)
	}
	return true
}

// tlsAlert tells that the server has ended the handshake: with a certificate that it
// misses, say. The type of these errors is crypto/tls's own.
func tlsAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// tooLong is the error for a server that asks for more patience than there is.
func tooLong(err error, asked time.Duration) error {
	return fmt.Errorf("%w (the registry asks to come back in %s)", err, asked.Round(time.Second))
}
