package command

import (
	"math"
	"strconv"
	"strings"
)

// ErrSize is what Size says of other texts.
const ErrSize = sizeError("not a size like 1048576, 512k, 64m or 1.5g")

// sizeError is a constant, so that no verb pays for its making.
type sizeError string

func (e sizeError) Error() string { return string(e) }

// Size parses a number of bytes; -1 is no limit.
func Size(s string) (*int64, error) {
	if s == "-1" {
		n := int64(-1)
		return &n, nil
	}
	digits, shift := unit(strings.ToLower(s))
	if strings.Trim(digits, "0123456789.") != "" {
		return nil, ErrSize // no sign, no exponent, no hex
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return nil, ErrSize
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil && shift == 0 {
		return &n, nil // exact, where a float would round
	}
	if f = math.Ldexp(f, shift); f >= math.MaxInt64 {
		return nil, ErrSize
	}
	n := int64(f)
	return &n, nil
}

// unit splits 64, 64b, 64k, 64kb and 64kib into digits and the power of two.
func unit(s string) (digits string, shift int) {
	const units = "kmgtp"
	s = strings.TrimSuffix(s, "b")
	if n := len(s); n > 1 && s[n-1] == 'i' && strings.IndexByte(units, s[n-2]) >= 0 {
		s = s[:n-1]
	}
	if s == "" {
		return s, 0
	}
	if i := strings.IndexByte(units, s[len(s)-1]); i >= 0 {
		return s[:len(s)-1], 10 * (i + 1)
	}
	return s, 0
}
