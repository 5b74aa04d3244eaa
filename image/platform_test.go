package image

import (
	"strconv"
	"strings"
	"testing"
)

func TestParsePlatform(t *testing.T) {
	for in, want := range map[string]string{
		"linux/amd64":    "linux/amd64",
		"linux/x86_64":   "linux/amd64",
		"linux/aarch64":  "linux/arm64",
		"linux/arm64/v8": "linux/arm64",
		"linux/arm/7":    "linux/arm/v7",
		"linux/armhf":    "linux/arm/v7",
		"arm64":          "linux/arm64",
		"Linux/AMD64":    "linux/amd64",
		"linux/i386":     "linux/386",
		"windows/amd64":  "windows/amd64",
	} {
		p, err := ParsePlatform(in)
		if err != nil || FormatPlatform(p) != want {
			t.Errorf("%s: got %s, %v; want %s", in, FormatPlatform(p), err, want)
		}
	}
	for _, in := range []string{"", "/", "linux/", "a/b/c/d", "linux/am d", "sparkle"} {
		if p, err := ParsePlatform(in); err == nil {
			t.Errorf("%q became %s", in, FormatPlatform(p))
		}
	}
}

func TestSelectPlatform(t *testing.T) {
	entry := func(platform string) Descriptor {
		if platform == "" {
			return Descriptor{}
		}
		p, err := ParsePlatform(platform)
		if err != nil {
			t.Fatal(err)
		}
		return Descriptor{Platform: &p}
	}
	for _, test := range []struct{ have, want, picks string }{
		{"linux/amd64 linux/arm64", "linux/arm64", "linux/arm64"},
		{"linux/arm/v5 linux/arm/v6", "linux/arm/v7", "linux/arm/v6"},
		{"linux/arm/v7", "linux/arm/v6", ""},
		{"windows/amd64 linux/amd64", "linux/amd64", "linux/amd64"},
		{"linux/arm64", "linux/amd64", ""},
		{"linux/amd64/v3", "linux/amd64", "linux/amd64/v3"},
		{"linux/amd64/v3 linux/amd64", "linux/amd64", "linux/amd64"},
	} {
		var list []Descriptor
		for _, p := range strings.Fields(test.have) {
			list = append(list, entry(p))
		}
		want := *entry(test.want).Platform
		d, err := SelectPlatform(list, want)
		switch {
		case test.picks == "" && err == nil:
			t.Errorf("%s of %s: got %s", test.want, test.have, FormatPlatform(*d.Platform))
		case test.picks != "" && (err != nil || FormatPlatform(*d.Platform) != test.picks):
			t.Errorf("%s of %s: got %+v, %v", test.want, test.have, d.Platform, err)
		}
	}
	var many []Descriptor
	for i := range MaxIndex {
		many = append(many, Descriptor{Platform: &Platform{OS: strings.Repeat("x", 1000), Architecture: strconv.Itoa(i)}})
	}
	if _, err := SelectPlatform(many, HostPlatform()); err == nil || len(err.Error()) > 10_000 {
		t.Error("the error holds all that the index says")
	}
	if _, err := SelectPlatform([]Descriptor{entry("")}, HostPlatform()); err != nil {
		t.Errorf("the only entry, without a platform: %v", err)
	}
}
