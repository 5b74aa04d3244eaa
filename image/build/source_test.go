package build

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sentContext is the archive of a context.
func sentContext(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		text := h.Uname // the content of a file
		h.Uname, h.Size, h.Mode = "", int64(len(text)), 0o666
		must(t, w.WriteHeader(&h))
		_, err := w.Write([]byte(text))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// TestSentContextLeadsNowhere: Dockerfile and .dockerignore of a context that somebody
// else has made are regular files of it. A link to the host's files is not followed, a
// FIFO not waited for, and a device not opened: 60:1 has no driver, so that open(2)
// would answer ENXIO.
func TestSentContextLeadsNowhere(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the archives hold devices: needs root")
	}
	outside := t.TempDir() + "/outside"
	must(t, os.WriteFile(outside, []byte("FROM scratch\nsecret-of-the-host [\n"), 0o644))
	plain := tar.Header{Name: "Dockerfile", Typeflag: tar.TypeReg, Uname: "FROM scratch\n"}
	for _, name := range []string{"Dockerfile", ".dockerignore", "Dockerfile.dockerignore"} {
		for what, h := range map[string]tar.Header{
			"absolute link": {Typeflag: tar.TypeSymlink, Linkname: outside},
			"relative link": {Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("../", 30) + outside},
			"fifo":          {Typeflag: tar.TypeFifo},
			"device":        {Typeflag: tar.TypeChar, Devmajor: 60, Devminor: 1},
			"disk":          {Typeflag: tar.TypeBlock, Devmajor: 60, Devminor: 1},
			"directory":     {Typeflag: tar.TypeDir},
		} {
			h.Name = name
			context := sentContext(t, plain, h)
			if name == "Dockerfile" {
				context = sentContext(t, h)
			}
			ended := make(chan error, 1)
			go func() {
				s, err := OpenSource(t.Context(), SourceOptions{Context: "-", Stdin: bytes.NewReader(context), Tmp: t.TempDir()})
				s.Close()
				ended <- err
			}()
			select {
			case err := <-ended:
				if err == nil || errors.Is(err, unix.ENXIO) || strings.Contains(err.Error(), "secret-of-the-host") {
					t.Errorf("%s is a %s: %v", name, what, err)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s is a %s: it is waited for", name, what)
			}
		}
	}
}

// TestParseGitOptions: nothing of a URL is an option of git or ssh.
func TestParseGitOptions(t *testing.T) {
	for _, url := range []string{
		"-oProxyCommand=x@host:path", "-x@host:path", "-x@host:path#main", "user@host:path#--upload-pack=x", "https://host/r.git#-x", "https://host/r.git?ref=-x",
	} {
		if ref, ok, err := ParseGit(url); ok && err == nil {
			t.Errorf("%s is %+v", url, ref)
		}
	}
}
