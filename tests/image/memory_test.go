package image

import (
	"archive/tar"
	"bytes"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// longWindow makes a layer of one file with a window of 128 MiB, by the reference
// implementation of zstd, and returns it with its diff id. The file is larger than the
// window, so that a decoder needs all of it.
func longWindow(t *testing.T, number int) ([]byte, digest.Digest) {
	t.Helper()
	const size = 140 << 20
	words := make([]byte, 1<<16)
	r := rand.New(rand.NewSource(int64(number)))
	r.Read(words)
	cmd := exec.Command("zstd", "-q", "-1", "--long=27", "-c")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sum := digest.SHA256.Digester()
	w := tar.NewWriter(io.MultiWriter(in, sum.Hash()))
	if err := w.WriteHeader(&tar.Header{Name: "file" + strconv.Itoa(number), Typeflag: tar.TypeReg, Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	for range size / (1 << 15) {
		at := r.Intn(1 << 15)
		if _, err := w.Write(words[at : at+1<<15]); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range []func() error{w.Close, in.Close, cmd.Wait} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes(), sum.Digest()
}

// TestLargeWindows: layers that need 128 MiB each to be unpacked are unpacked one at a
// time, whether they come from elsewhere or are in the store.
func TestLargeWindows(t *testing.T) {
	if _, err := exec.LookPath("zstd"); err != nil {
		t.Skip("no zstd (Debian: zstd)")
	}
	w := &world{T: t, name: "self", uid: os.Geteuid()}
	runtimePath(t)
	w.settle()
	dir := filepath.Join(w.dir, "large")
	blobs := filepath.Join(dir, "blobs/sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		t.Fatal(err)
	}
	add := func(mediaType string, raw []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
		if err := os.WriteFile(filepath.Join(blobs, d.Digest.Encoded()), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return d
	}
	m, config, index := ocispec.Manifest{}, ocispec.Image{}, ocispec.Index{}
	m.SchemaVersion, m.MediaType, index.SchemaVersion = 2, ocispec.MediaTypeImageManifest, 2
	config.OS, config.Architecture, config.RootFS.Type = "linux", architecture(), "layers"
	for i := range 3 {
		raw, id := longWindow(t, i)
		m.Layers = append(m.Layers, add(ocispec.MediaTypeImageLayerZstd, raw))
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, id)
	}
	m.Config = add(ocispec.MediaTypeImageConfig, encode(w, config))
	index.Manifests = []ocispec.Descriptor{add(ocispec.MediaTypeImageManifest, encode(w, m))}
	for name, raw := range map[string][]byte{"index.json": encode(w, index), "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// KiB. A window has 128 MiB, and that of the layer before may still be there: a stale
	// pointer on a preempted stack keeps it from the garbage collector. Three are too many.
	const most = 340 << 10
	peak := func(args ...string) {
		t.Helper()
		cmd := w.command(args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("berth %v: %v: %s", args, err, out)
		}
		used := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
		t.Logf("berth %s: %d MiB at most", args[0], used>>10)
		if used > most {
			t.Errorf("berth %v took %d MiB, more than %d", args, used>>10, most>>10)
		}
	}
	peak("pull", "oci:"+dir)
	peak("unpack", "localhost/large:latest", "bundle", "--", "true")
	w.ok("rmi", "localhost/large:latest")
	w.ok("prune")
	peak("pull", "--no-unpack", "oci:"+dir)
	peak("unpack", "localhost/large:latest", "again", "--", "true")
	w.ok("verify")
}
