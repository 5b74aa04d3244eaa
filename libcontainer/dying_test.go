package libcontainer

import "testing"

func TestKillPending(t *testing.T) {
	const head = "Name:\tsleep\nThreads:\t1\nSigQ:\t2/95\n"
	for status, want := range map[string]bool{
		head + "SigPnd:\t0000000000000100\nShdPnd:\t0000000000000000\n":                             true,
		head + "SigPnd:\t0000000000000000\nShdPnd:\t0000000000004100\n":                             true,
		head + "SigPnd:\t0000000000004000\nShdPnd:\t0000000000000000\n":                             false,
		head + "SigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\nSigBlk:\tfffffffffffffffff\n": false,
		"Name:\tSigPnd\n": false,
		"":                false,
	} {
		if got := killPending([]byte(status)); got != want {
			t.Errorf("%q: %t", status, got)
		}
	}
}
