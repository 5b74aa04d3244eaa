package cli

import (
	"strings"
	"testing"
	"time"

	"berth/libcontainer"

	"github.com/urfave/cli/v2"
)

func TestBytesText(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0B", 1023: "1023B", 1024: "1.0KiB", 1536: "1.5KiB", 100 << 10: "100KiB", 1023 << 10: "1023KiB",
		1<<20 - 1: "1.0MiB", 64 << 20: "64.0MiB", 1 << 30: "1.0GiB", 5 << 40: "5.0TiB", 1<<64 - 1: "16384PiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestInterval(t *testing.T) {
	for s, want := range map[string]time.Duration{"5s": 5 * time.Second, "500ms": time.Second / 2, "1h": time.Hour, "7": 7 * time.Second, "0": 0, "0s": 0, "-1s": 0, "-1": 0, "soon": 0, "": 0, "99999999999": 0} {
		var got time.Duration
		err := parsed(t, (&berth{}).events(), func(c *cli.Context) (err error) {
			got, err = interval(c)
			return err
		}, "--interval", s, "web")
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

// What the host does not count shows as a dash, not as zero.
func TestUnknownCells(t *testing.T) {
	table, err := useTable([]use{{Sample: libcontainer.Sample{ID: "web"}, cpu: -1}})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(table), "\n")
	if len(lines) != 3 || strings.Join(strings.Fields(lines[1]), "") != "web--------" {
		t.Errorf("%s", table)
	}
	if got := cpuPercent(libcontainer.Sample{}, libcontainer.Sample{}); got >= 0 {
		t.Errorf("%v percent of nothing", got)
	}
}
