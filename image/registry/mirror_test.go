package registry_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"berth/image/registry"
	"berth/image/registry/testregistry"
)

// mirrored are settings with mirrors for a registry.
func mirrored(host string, mirrors ...string) *registry.Settings {
	e := registry.Entry{Prefix: host, Location: host}
	for _, m := range mirrors {
		e.Mirrors = append(e.Mirrors, registry.Mirror{Location: m})
	}
	return &registry.Settings{Registries: []registry.Entry{e}}
}

func TestMirrors(t *testing.T) {
	raw := noise(100_000)
	main, mirror := start(t, testregistry.Options{}), start(t, testregistry.Options{})
	want, layer := someImage(main, "team/app", "v1", raw)
	someImage(mirror, "cache/team/app", "v1", raw)
	name := ref(t, main.Ref("team/app", "v1"))
	for title, f := range map[string]testregistry.Fault{
		"well":         {Path: "/nothing"},
		"empty":        {Status: http.StatusNotFound},
		"broken":       {Status: http.StatusInternalServerError},
		"denied":       {Status: http.StatusUnauthorized},
		"cut":          {Path: "/blobs/", Cut: 50_000, Times: 1},
		"wrong digest": {Path: "/manifests/", Corrupt: true},
	} {
		mirror.Heal()
		mirror.Inject(f)
		main.Forget()
		mirror.Forget()
		c := client(t, registry.Options{Settings: mirrored(main.Host(), mirror.Host()+"/cache")})
		got, _, err := c.Resolve(context.Background(), name)
		if err != nil || got.Digest != want.Digest {
			t.Errorf("%s: %+v, %v", title, got, err)
		}
		blob, err := readBlob(t, c, name, layer, 0)
		if err != nil || !bytes.Equal(blob, raw) {
			t.Errorf("%s: %d bytes, %v", title, len(blob), err)
		}
		if n := len(main.Requests()); title == "well" && n != 0 {
			t.Errorf("%d requests to the registry itself", n)
		}
	}
}

// A mirror that does not answer is tried once, and its credentials are its own.
func TestDeadMirror(t *testing.T) {
	dead := testregistry.New(testregistry.Options{})
	dead.Close()
	r := start(t, testregistry.Options{User: "u", Password: "p"})
	mirror := start(t, testregistry.Options{User: "m", Password: "p"})
	someImage(r, "team/app", "v1", noise(10))
	someImage(mirror, "team/app", "v1", noise(10))
	k := keysFor(r.Host(), authConfig("u", "p"))
	var notices []string
	c := client(t, registry.Options{Settings: mirrored(r.Host(), dead.Host(), mirror.Host()), Keychain: k, Notice: func(m string) { notices = append(notices, m) }})
	for range 3 {
		if _, _, err := c.Resolve(context.Background(), ref(t, r.Ref("team/app", "v1"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range mirror.Requests() {
		if q.Header.Get("Authorization") != "" {
			t.Error("the mirror got the registry's credentials")
		}
	}
	died := 0
	for _, m := range notices {
		if strings.Contains(m, dead.Host()) && strings.Contains(m, "connection refused") {
			died++
		}
	}
	if died != 1 {
		t.Errorf("the dead mirror was tried %d times: %q", died, notices)
	}
}
