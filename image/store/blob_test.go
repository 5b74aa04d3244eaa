package store

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/image"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

func TestBlob(t *testing.T) {
	s := open(t, Options{})
	raw := []byte("content")
	d := describe("x", raw)
	if s.Has(d.Digest) {
		t.Error("an empty store has it")
	}
	if _, err := s.ReadBlob(d, 100); !errors.Is(err, ErrNotFound) {
		t.Errorf("read what is not there: %v", err)
	}
	for range 2 {
		if err := s.WriteBlob(d, raw); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.ReadBlob(d, 100); err != nil || string(got) != string(raw) {
		t.Errorf("got %q, %v", got, err)
	}
	st, err := os.Stat(filepath.Join(s.Dir(), "blobs/sha256", d.Digest.Encoded()))
	if err != nil || st.Mode() != 0o444 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if _, err := s.ReadBlob(d, 3); err == nil {
		t.Error("the limit does not hold")
	}
	other := describe("x", []byte("other"))
	if err := s.WriteBlob(other, raw); err == nil {
		t.Error("content of another size was taken")
	}
	other.Size = d.Size
	if err := s.WriteBlob(other, raw); err == nil {
		t.Error("content of another digest was taken")
	}
	if s.Has(other.Digest) {
		t.Error("refused content is there")
	}
	long := image.Descriptor{Digest: digest.SHA512.FromBytes(raw), Size: d.Size}
	if err := s.WriteBlob(long, raw); err != nil || !s.Has(long.Digest) {
		t.Errorf("sha512: %v", err)
	}
	sound(t, s)
}

func TestNewBlob(t *testing.T) {
	s := open(t, Options{})
	for _, closed := range []bool{true, false} {
		w, err := s.NewBlob(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "con"); err != nil {
			t.Fatal(err)
		}
		if closed {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		if _, err := io.WriteString(w, "tent"); err != nil {
			t.Fatal(err)
		}
		d, err := w.Commit("x")
		if err != nil || d.Digest != digest.FromString("content") || d.Size != 7 || !s.Has(d.Digest) {
			t.Errorf("committed %v, %v", d, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := s.tmp.names(); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

// TestHostileDigests: a digest is never a path (CVE-2024-3727).
func TestHostileDigests(t *testing.T) {
	s := open(t, Options{})
	if err := os.WriteFile(filepath.Join(s.Dir(), "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range []digest.Digest{
		"", "sha256", "sha256:", "sha256:../../secret", "sha256:..", "../../secret", "sha256:" + digest.Digest(strings.Repeat("../", 20)) + "0000",
		"sha256:" + digest.Digest(strings.Repeat("A", 64)), "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256/../..:x",
		"sha256:" + digest.Digest(strings.Repeat("0", 63)) + "/", "sha256:" + digest.Digest(strings.Repeat("0", 100000)),
	} {
		desc := image.Descriptor{Digest: d, Size: 6}
		if s.Has(d) {
			t.Errorf("%.40q is there", d)
		}
		if _, err := s.Blob(desc); err == nil {
			t.Errorf("%.40q was opened", d)
		}
		if err := s.WriteBlob(desc, []byte("secret")); err == nil {
			t.Errorf("%.40q was written", d)
		}
		if err := s.RemoveBlob(d); err == nil {
			t.Errorf("%.40q was removed", d)
		}
		if in, err := s.Ingest(t.Context(), desc); err == nil {
			t.Errorf("%.40q is fetched to %s", d, in.f.Name())
		}
		if _, ok := s.Layer(d); ok {
			t.Errorf("%.40q is a layer", d)
		}
		if w, err := s.NewLayer(t.Context(), d); err == nil {
			t.Errorf("%.40q is unpacked to %s", d, w.Dir())
		}
		if err := s.removeLayer(d); err == nil {
			t.Errorf("the layer %.40q was removed", d)
		}
	}
	for _, key := range []string{"", "..", "../../secret", "ABCDEF0123456789AB", strings.Repeat("0", 200)} {
		if err := s.PutRecord(Record{Key: key}); err == nil {
			t.Errorf("the cache has a record %.40q", key)
		}
	}
	for _, id := range []string{"", ".", "..", "a/b", "a b", "a\x00", strings.Repeat("a", 2000)} {
		if _, err := s.NewContainer(Use{ID: id}); err == nil {
			t.Errorf("there is a container %.40q", id)
		}
	}
	if _, err := os.Stat(filepath.Join(s.Dir(), "secret")); err != nil {
		t.Error(err)
	}
}

// TestNotAFile: what is not a regular file is not content, wherever it leads.
func TestNotAFile(t *testing.T) {
	s := open(t, Options{})
	content := []byte("host secret")
	d := describe("x", content)
	path := filepath.Join(s.Dir(), "blobs/sha256", d.Digest.Encoded())
	host := filepath.Join(t.TempDir(), "host")
	if err := os.WriteFile(host, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func() error{
		"link":      func() error { return os.Symlink(host, path) },
		"fifo":      func() error { return unix.Mkfifo(path, 0o600) },
		"directory": func() error { return os.Mkdir(path, 0o700) },
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadBlob(d, 100); err == nil {
			t.Errorf("a %s was read", name)
		}
		if _, _, err := s.ReadManifest(d); err == nil {
			t.Errorf("a %s was read as a manifest", name)
		}
		faults, err := s.Verify(t.Context(), nil)
		if err != nil || len(faults) != 1 || faults[0].Blob != d.Digest {
			t.Errorf("verify of a %s: %v, %v", name, faults, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	// The index, too.
	if err := os.Symlink(host, filepath.Join(s.Dir(), indexName)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Refs(); err == nil {
		t.Error("a link was read as the index")
	}
}

func TestQuota(t *testing.T) {
	s := open(t, Options{Quota: 1000})
	raw := make([]byte, 600)
	if err := s.WriteBlob(describe("x", raw), raw); err != nil {
		t.Fatal(err)
	}
	d := describe("x", []byte("y"))
	d.Size = 500
	var quota *QuotaError
	_, err := s.Ingest(t.Context(), d)
	if !errors.As(err, &quota) || !quota.Quota || quota.Room != 400 || !errors.Is(err, unix.EDQUOT) {
		t.Errorf("500 bytes where 400 are left: %v", err)
	}
	if err := s.WriteBlob(describe("x", raw[:500]), raw[:500]); !errors.Is(err, unix.EDQUOT) {
		t.Errorf("a blob of 500 bytes where 400 are left: %v", err)
	}
	w, err := s.NewLayer(t.Context(), digest.FromString("layer"))
	if err != nil {
		t.Fatal(err)
	}
	w.Meta.Size = 500
	if err := w.Commit(); !errors.Is(err, unix.EDQUOT) {
		t.Errorf("a layer of 500 bytes where 400 are left: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	d.Size = 300
	in, err := s.Ingest(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Discard(); err != nil {
		t.Error(err)
	}
	s = open(t, Options{})
	d.Size = image.MaxBlob
	if _, err := s.Ingest(t.Context(), d); err != nil && (!errors.As(err, &quota) || quota.Quota || !errors.Is(err, unix.ENOSPC)) {
		t.Errorf("more than any disk has: %v", err)
	}
	d.Size = image.MaxBlob + 1
	if _, err := s.Ingest(t.Context(), d); err == nil {
		t.Error("a blob above the limit is fetched")
	}
}

func TestIngest(t *testing.T) {
	s := open(t, Options{})
	content := make([]byte, 100_000)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	d := describe("x", content)
	in, err := s.Ingest(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	// Parts in any order, one of them twice, another overlapping.
	parts := []span{{0, 10}, {90_000, 100_000}, {5, 40_000}, {0, 10}}
	for _, p := range parts {
		if _, err := in.WriteAt(content[p.from:p.to], p.from); err != nil {
			t.Fatal(err)
		}
	}
	if in.Have() != 40_000 {
		t.Errorf("%d bytes are there", in.Have())
	}
	if _, err := in.WriteAt([]byte("xx"), d.Size-1); err == nil {
		t.Error("more than announced was taken")
	}
	if err := in.Commit(d.Digest); err == nil {
		t.Fatal("an incomplete blob was committed")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("x")); err == nil {
		t.Error("a closed one takes more")
	}
	// Resumed: what was beyond the gap is gone.
	in, err = s.Ingest(t.Context(), d)
	if err != nil || in.Have() != 40_000 {
		t.Fatalf("resumed at %d, %v", in.Have(), err)
	}
	read := make(chan error)
	go func() {
		got, err := io.ReadAll(in.Reader())
		if err == nil && !slices.Equal(got, content) {
			err = errors.New("other bytes were read")
		}
		read <- err
	}()
	for from := int64(40_000); from < d.Size; from += 1000 {
		if _, err := in.Write(content[from:min(from+1000, d.Size)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
	if err := in.Commit(d.Digest); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Ingest(t.Context(), d); !errors.Is(err, ErrExists) {
		t.Errorf("fetch what is there: %v", err)
	}
	if left, err := s.ingest.names(); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	sound(t, s)
}

func TestEmptyBlob(t *testing.T) {
	s := open(t, Options{})
	d := describe("x", nil)
	in, err := s.Ingest(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := io.ReadAll(in.Reader()); err != nil || len(raw) > 0 {
		t.Errorf("read %q, %v", raw, err)
	}
	if err := in.Commit(d.Digest); err != nil {
		t.Fatal(err)
	}
	if raw, err := s.ReadBlob(d, 0); err != nil || len(raw) > 0 {
		t.Errorf("read %q, %v", raw, err)
	}
	sound(t, s)
}

func TestIngestEnds(t *testing.T) {
	s := open(t, Options{})
	d := describe("x", []byte("content"))
	broken := errors.New("the line is cut")
	for name, end := range map[string]struct {
		by   func(*Ingest) error
		want error
	}{
		"fail":    {func(in *Ingest) error { in.Fail(broken); return nil }, broken},
		"close":   {(*Ingest).Close, os.ErrClosed},
		"discard": {(*Ingest).Discard, os.ErrClosed},
	} {
		in, err := s.Ingest(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() {
			_, err := io.ReadAll(in.Reader())
			read <- err
		}()
		if err := end.by(in); err != nil {
			t.Error(err)
		}
		if err := <-read; !errors.Is(err, end.want) {
			t.Errorf("%s: the reader gets %v", name, err)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
	in, err := s.Ingest(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("kontent")); err != nil {
		t.Fatal(err)
	}
	if err := in.Commit(digest.FromString("kontent")); err == nil || s.Has(d.Digest) {
		t.Errorf("other content was committed: %v", err)
	}
	if in, err = s.Ingest(t.Context(), d); err != nil || in.Have() != 0 {
		t.Fatalf("wrong content was kept: %v", err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

// TestIngestWaits: whoever waits for another to fetch the same finds it there.
func TestIngestWaits(t *testing.T) {
	waiting := make(chan string, 1)
	s := open(t, Options{Waiting: func(what string) { waiting <- what }})
	d := describe("x", []byte("content"))
	first, err := s.Ingest(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	go func() {
		_, err := s.Ingest(t.Context(), d)
		second <- err
	}()
	if what := <-waiting; !strings.Contains(what, d.Digest.String()) {
		t.Errorf("it waits for %s", what)
	}
	if _, err := first.Write([]byte("content")); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(d.Digest); err != nil {
		t.Fatal(err)
	}
	if err := <-second; !errors.Is(err, ErrExists) {
		t.Errorf("the second one got %v", err)
	}
}

// Between the rename of a commit and the end of its lock the name of the partial file is
// free: whoever comes then fetches nothing and leaves nothing.
func TestIngestAtOnce(t *testing.T) {
	s := open(t, Options{})
	for i := range 100 {
		content := []byte(fmt.Sprint("content ", i))
		d := describe("x", content)
		ended := make(chan error)
		const callers = 4
		for range callers {
			go func() {
				in, err := s.Ingest(t.Context(), d)
				if err == nil {
					_, err = in.WriteAt(content, 0)
					err = errors.Join(err, in.Commit(d.Digest))
				}
				ended <- err
			}()
		}
		committed := 0
		for range callers {
			switch err := <-ended; {
			case err == nil:
				committed++
			case !errors.Is(err, ErrExists):
				t.Error(err)
			}
		}
		if committed != 1 {
			t.Errorf("%d have fetched it", committed)
		}
	}
	if names, err := s.ingest.names(); err != nil || len(names) > 0 {
		t.Errorf("left in the directory of partial files: %v %v", names, err)
	}
}

func FuzzInsert(f *testing.F) {
	f.Add([]byte{1, 2, 5, 3, 3, 9})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var list []span
		var want [512]bool
		for i := 0; i+1 < len(raw); i += 2 {
			part := span{int64(raw[i]), int64(raw[i]) + int64(raw[i+1])}
			if part.from == part.to {
				continue
			}
			list = insert(list, part)
			for j := part.from; j < part.to; j++ {
				want[j] = true
			}
		}
		var got [512]bool
		for i, s := range list {
			if s.from >= s.to || i > 0 && s.from <= list[i-1].to {
				t.Fatalf("not in order, or touching: %v", list)
			}
			for j := s.from; j < s.to; j++ {
				got[j] = true
			}
		}
		if got != want {
			t.Fatalf("%v is not what %v says", list, raw)
		}
	})
}
