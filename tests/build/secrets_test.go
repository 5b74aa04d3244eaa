package build

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// unpackedGrep finds a text in the files below dir, and in what those that are
// compressed hold.
func unpackedGrep(t *testing.T, dir, text string) string {
	t.Helper()
	if hit := grep(t, dir, text); hit != "" {
		return hit
	}
	hit := ""
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || hit != "" || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil // not compressed: grep has seen it
		}
		raw, err := io.ReadAll(z)
		if bytes.Contains(raw, []byte(text)) {
			hit = path
		}
		return err
	}))
	return hit
}

// TestSecretsStayOut: neither a secret that a step reads, in a file or a variable,
// nor one that a failing step shows, gets into the store, compressed or not; nor into
// an exported cache or the metadata.
func TestSecretsStayOut(t *testing.T) {
	b := newBuilder(t)
	const secret, variable = "hush-4Kd9-in-a-file", "hush-8Wm2-in-a-variable"
	p := b.project(t, map[string]string{
		"Dockerfile": "FROM base\nRUN --mount=type=secret,id=file,target=/etc/key --mount=type=secret,id=var,env=VAR test -n \"$VAR\" && wc -c < /etc/key > /n && echo mark-5521-of-a-layer > /mark\n",
		"fails":      "FROM base\nRUN --mount=type=secret,id=file cat /run/secrets/file; cp /run/secrets/file /copy; exit 1\n",
	})
	outside := t.TempDir()
	key := filepath.Join(outside, "key")
	must(t, os.WriteFile(key, []byte(secret), 0o600))
	t.Setenv("HUSH", variable)
	flags := []string{"--secret", "id=file,src=" + key, "--secret", "id=var,env=HUSH"}
	exported := t.TempDir()
	out, img := p.build(append(flags, "--cache-to", "type=local,mode=max,dest="+exported+"/cache", "--metadata-file", exported+"/metadata")...)
	if n := img.tree["/n"]; n == nil || n.content != "19\n" {
		t.Errorf("/n is %+v:\n%s", n, out)
	}
	if code, out := b.berth(t, nil, append(append([]string{"build", "--tag", "s:1"}, flags...), p.dir)...); code != 0 {
		t.Errorf("status %d:\n%s", code, out)
	}
	if code, out := b.berth(t, nil, append(append([]string{"build", "--file", filepath.Join(p.dir, "fails")}, flags...), p.dir)...); code != 1 {
		t.Errorf("status %d:\n%s", code, out)
	}
	if unpackedGrep(t, exported, "mark-5521-of-a-layer") == "" {
		t.Error("the search does not find what a layer holds")
	}
	for _, dir := range []string{b.store, exported} {
		for _, text := range []string{secret, variable} {
			if hit := unpackedGrep(t, dir, text); hit != "" {
				t.Errorf("%s is in %s", text, hit)
			}
		}
	}
}
