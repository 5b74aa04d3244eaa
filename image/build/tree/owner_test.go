package tree

import (
	"strconv"
	"strings"
	"testing"
	"time"
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

func ownerText(o Owner) string {
	return strings.Join([]string{strconv.Itoa(o.UID), strconv.Itoa(o.GID)}, ":")
}
