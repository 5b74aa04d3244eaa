package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"berth/image"
)

func TestChange(t *testing.T) {
	c := &image.Config{}
	for _, line := range []string{
		`CMD ["nginx", "-g", "daemon off;"]`, `ENTRYPOINT exec x`, `ENV A=1 B="two words" C='it''s' D=a\ b`, `ENV A 2 and more`,
		`label x=y z="q"`, `EXPOSE 80 443/udp`, `VOLUME ["/a b", "/c"]`, `VOLUME /d /e`, `USER web:www`, `WORKDIR /srv`,
		`STOPSIGNAL SIGQUIT`, `ONBUILD RUN make`, `SHELL ["/bin/ash", "-c"]`,
	} {
		if err := change(c, line); err != nil {
			t.Error(err)
		}
	}
	got, err := json.Marshal(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"User":"web:www","ExposedPorts":{"443/udp":{},"80/tcp":{}},"Env":["A=2 and more","B=two words","C=its","D=a b"],` +
		`"Entrypoint":["/bin/sh","-c","exec x"],"Cmd":["nginx","-g","daemon off;"],"Volumes":{"/a b":{},"/c":{},"/d":{},"/e":{}},` +
		`"WorkingDir":"/srv","Labels":{"x":"y","z":"q"},"StopSignal":"SIGQUIT","OnBuild":["RUN make"],"Shell":["/bin/ash","-c"]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for line, says := range map[string]string{
		"RUN x": "none of CMD", "CMD": "INSTRUCTION VALUE", "": "INSTRUCTION VALUE", `CMD ["a"`: "JSON", "WORKDIR a": "absolute",
		"ENV A": "no value", `ENV A="b`: "not closed", "ENV A=1 B": "NAME=VALUE", "SHELL sh": "JSON",
	} {
		if err := change(&image.Config{}, line); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestSizeAndAge(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 999: "999B", 1000: "1kB", 1080816: "1.08MB", 999_600_000: "1GB", 12_345_678_901: "12.3GB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for ago, want := range map[time.Duration]string{
		0: "just now", 90 * time.Second: "1 minute ago", 3 * time.Hour: "3 hours ago", 30 * time.Hour: "30 hours ago",
		50 * time.Hour: "2 days ago", 20 * 24 * time.Hour: "2 weeks ago", 800 * 24 * time.Hour: "2 years ago",
	} {
		at := time.Now().Add(-ago)
		if got := age(&at); got != want {
			t.Errorf("%s: %s, want %s", ago, got, want)
		}
	}
	epoch := time.Unix(0, 0)
	if age(nil) != "-" || age(&epoch) != "-" {
		t.Error("no time at all")
	}
}
