package cli

import (
	"errors"
	"strconv"
)

func signed(s string) (*int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	return &n, err
}

func unsigned(s string) (*uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	return &n, err
}

// reason drops what strconv says about itself.
func reason(err error) error {
	var num *strconv.NumError
	switch {
	case !errors.As(err, &num):
		return err
	case errors.Is(num, strconv.ErrRange):
		return errors.New("out of range")
	}
	return errors.New("not a number that fits")
}
