package build

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// setTimes gives everything below dir contextTime.
func setTimes(t *testing.T, dir string) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, contextTime)
	must(t, err)
	stamp := unix.NsecToTimespec(at.UnixNano())
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW)
	}))
}

// pack writes a tar archive of dir, compressed as its name says.
func pack(t *testing.T, name, dir string) {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	must(t, w.AddFS(os.DirFS(dir)))
	must(t, w.Close())
	raw := out.Bytes()
	switch {
	case strings.HasSuffix(name, "gz"):
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		_, err := g.Write(raw)
		must(t, err)
		must(t, g.Close())
		raw = z.Bytes()
	case strings.HasSuffix(name, "zst"):
		z, err := zstd.NewWriter(nil)
		must(t, err)
		raw = z.EncodeAll(raw, nil)
	}
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, raw, 0o600))
	must(t, os.Chmod(name, 0o644))
}
