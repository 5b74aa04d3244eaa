package devices

import (
	"errors"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"
)

// The verifier takes every program there can be: no dead code, no bad jump.
func TestVerifier(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	many := make([]Rule, 300)
	for i := range many {
		many[i] = Rule{'c', int64(i), Any, Read, i%2 == 0}
	}
	lists := [][]Rule{nil, {{'a', Any, Any, all, true}}, {{'a', Any, Any, all, false}}, defaults[:], many,
		{{'c', 1<<32 - 1, 1<<32 - 1, all, true}}}
	for range 300 {
		lists = append(lists, randomRules(rnd))
	}
	for _, rules := range lists {
		fd, err := loadUnlocked(Program(rules))
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			t.Skipf("loading a program: %v", err)
		}
		if err != nil {
			t.Fatalf("%v: %v", rules, err)
		}
		closeAll([]loaded{{fd: fd}})
	}
}
