package state

import "testing"

// FuzzStat reads any text as /proc/PID/stat: the name of a process, which it chooses
// itself, decides nothing.
func FuzzStat(f *testing.F) {
	const tail = " S 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0"
	for _, name := range []string{"sh", "a) Z 1 1 (b", ")", "\n", ""} {
		f.Add(name, tail)
	}
	f.Add("x", " Z 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 -1")
	f.Fuzz(func(t *testing.T, name, tail string) {
		st, err := parseStat([]byte("7 (" + name + ")" + tail))
		plain, plainErr := parseStat([]byte("7 (x)" + tail))
		if (err == nil) != (plainErr == nil) || st != plain {
			t.Errorf("%q %q: %+v %v, want %+v %v", name, tail, st, err, plain, plainErr)
		}
	})
}
