package devices

import "testing"

// FuzzList reads any text as devices.list: what is understood has only rules that
// name a kind of device.
func FuzzList(f *testing.F) {
	for _, s := range []string{"a *:* rwm\n", "c 1:3 rwm\nb *:* m\nc 136:* rwm\n", "c 1 r", "x 1:3 rwm", "c -1:99999999999 r", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, _, err := ParseList(text)
		if err != nil {
			return
		}
		for _, r := range s.Except {
			if r.Type != 'b' && r.Type != 'c' || r.Major < Any || r.Minor < Any {
				t.Errorf("%q: %+v", text, r)
			}
		}
	})
}
