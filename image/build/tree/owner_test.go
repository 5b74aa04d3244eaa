package tree

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var syscallTimeZero = time.Unix(1, 0)

func TestLookupOwner(t *testing.T) {
	r := root(t, plant(t,
		"etc/passwd=root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/\n1000:x:0:0::/:/\n2147483648:x:0:0::/:/\nbig:x:4294967296:0::/:/\nshort:x\n",
		"etc/group=root:x:0:\nwww:x:35:\n99:x:1:\n"))
	for spec, want := range map[string]string{
		"0":                      "0:0",
		"1000":                   "1000:1000",
		"1000:7":                 "1000:7",
		"web":                    "33:34",
		"web:www":                "33:35",
		"web:99":                 "33:99",
		":www":                   "0:35",
		"12:www":                 "12:35",
		"2147483648":             "above",
		"4294967296":             "above",
		"0:99999999999999999999": "above",
		"big":                    "above",
		"short":                  "short",
		"none":                   `no "none"`,
		"web:none":               `no "none"`,
		"-1":                     `no "-1"`,
	} {
		o, err := r.LookupOwner(spec)
		var got string
		if err == nil {
			got = ownerText(o)
		} else {
			got = err.Error()
		}
		if !strings.Contains(got, want) || (err == nil && got != want) {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
	}
	if _, err := root(t, plant(t)).LookupOwner("web"); err == nil || !strings.Contains(err.Error(), "no /etc/passwd") {
		t.Errorf("without passwd: %v", err)
	}
}

// TestLookupUser: a line that does not tell the ids makes nobody root, and neither
// does a passwd that is no file. That is not even opened: the device 60:1 has no
// driver, so that open(2) would answer ENXIO.
func TestLookupUser(t *testing.T) {
	dir := plant(t, "etc/passwd=root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/\nshort:x:7\nbare\n")
	u, err := root(t, dir).LookupUser("web")
	if err != nil || u.UID != 33 || u.GID != 34 || u.Home != "/srv" {
		t.Errorf("web: %+v, %v", u, err)
	}
	if len(u.Groups) != 1 || u.Groups[0] != 34 { // its own is among them (CVE-2022-36109)
		t.Errorf("web: groups %v", u.Groups)
	}
	must(t, os.WriteFile(dir+"/etc/group", nil, 0o644))
	must(t, os.Truncate(dir+"/etc/group", 2<<30)) // CVE-2026-47262
	if u, err := root(t, dir).LookupUser("web"); err == nil || !strings.Contains(err.Error(), "/etc/group") {
		t.Errorf("2 GiB of group: %+v, %v", u, err)
	}
	for _, name := range []string{"short", "bare", "none"} {
		if u, err := root(t, dir).LookupUser(name); err == nil {
			t.Errorf("%s is %+v", name, u)
		}
	}
	for _, kind := range []uint32{unix.S_IFIFO, unix.S_IFCHR, unix.S_IFBLK} {
		dir := plant(t, "etc/")
		err := unix.Mknod(dir+"/etc/passwd", kind|0o666, int(unix.Mkdev(60, 1)))
		if errors.Is(err, unix.EPERM) {
			t.Logf("%#o: devices cannot be made here", kind)
			continue
		}
		must(t, err)
		if _, err := root(t, dir).LookupUser("web"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%#o: %v", kind, err)
		}
	}
}

func ownerText(o Owner) string {
	return strings.Join([]string{strconv.Itoa(o.UID), strconv.Itoa(o.GID)}, ":")
}
