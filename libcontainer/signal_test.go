package libcontainer

import (
	"syscall"
	"testing"

	"berth/internal/accounts"
)

func TestParseSignal(t *testing.T) {
	for s, want := range map[string]syscall.Signal{
		"0": 0, "9": 9, "64": 64, "KILL": 9, "SIGKILL": 9, "sigkill": 9, "Kill": 9, "TERM": 15, "hup": 1,
		"IOT": 6, "ABRT": 6, "CLD": 17, "CHLD": 17, "POLL": 29, "IO": 29, "SYS": 31, "WINCH": 28, "SIGUSR1": 10,
		"RTMIN": 34, "SIGRTMIN+0": 34, "rtmin+3": 37, "RTMIN+30": 64, "RTMAX": 64, "RTMAX-1": 63, "SIGRTMAX-30": 34,
	} {
		if got, err := ParseSignal(s); got != want || err != nil {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", "65", "-1", "+9", "256", "9x", "0x9", "SIG", "SIGSIGKILL", "BAD", "RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMAX-31",
		"RTMIN+", "RTMIN1", "RTMIN+-1", " KILL", "KILL ",
	} {
		if got, err := ParseSignal(s); err == nil || err.Error() != `unknown signal "`+s+`"` {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
}

func TestOwners(t *testing.T) {
	passwd := []byte("# comment\nroot:x:0:0:root:/root:/bin/sh\nshort:x:7\n1000:x:5:5:::\nweb:x:1000:1000:::\ntwin:x:1000:1:::\nlast:x:9:9")
	for uid, want := range map[int]string{0: "root", 1000: "web", 5: "1000", 7: "", 9: "last", 8: "", -1: ""} {
		if got := accounts.NameIn(passwd, uid); got != want {
			t.Errorf("%d is %q, want %q", uid, got, want)
		}
	}
	names := owners{read: true}
	if got := names.of(12); got != "#12" {
		t.Errorf("without a name: %q", got)
	}
}
