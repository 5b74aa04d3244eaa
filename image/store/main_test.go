package store

import (
	"fmt"
	"os"
	"testing"
)

// roles are what a test runs in a process of its own: this binary, started again.
var roles = map[string]func(s *Store) error{}

const (
	roleEnv = "STORE_TEST_ROLE"
	dirEnv  = "STORE_TEST_DIR"
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	s, err := Open(Options{Dir: os.Getenv(dirEnv)})
	if err == nil {
		err = roles[role](s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
