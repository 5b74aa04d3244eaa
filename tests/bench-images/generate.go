package main

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"berth/image/layer"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// shape is an image to be made: for each layer how many files and bytes it has.
type shape struct {
	name   string
	layers []layerShape
}

type layerShape struct {
	files   int
	bytes   int64
	perDir  int
	largest int64
}

// shapes are the two images: one like those people use (28,000 files, 250 MB of
// gzip in seven layers), and one of many small files in a single layer.
func shapes() []shape {
	const mb = 1 << 20
	return []shape{
		{"ordinary", []layerShape{
			{7000, 250 * mb, 12, 30 * mb}, {9000, 170 * mb, 10, 8 * mb}, {5000, 130 * mb, 8, 20 * mb},
			{4000, 60 * mb, 9, 4 * mb}, {2000, 50 * mb, 15, 25 * mb}, {900, 30 * mb, 7, 10 * mb}, {100, 10 * mb, 5, 5 * mb},
		}},
		{"small-files", []layerShape{{100_000, 140 * mb, 40, 16 << 10}}},
	}
}

// generation changes when the images do: they are made anew then.
const generation = "1"

// generate makes an image below dir, in the layout the registry serves: the same
// bytes on every host.
func generate(dir string, s shape) error {
	done := filepath.Join(dir, "made-"+s.name+"-"+generation)
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	fmt.Printf("making the image %s …\n", s.name)
	if err := os.MkdirAll(filepath.Join(dir, "blobs"), 0o755); err != nil {
		return err
	}
	config := ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}, RootFS: ocispec.RootFS{Type: "layers"}}
	config.Config.Cmd = []string{"/bin/true"}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for i, l := range s.layers {
		d, diffID, err := generateLayer(dir, l, uint64(i)+uint64(len(s.layers))*100)
		if err != nil {
			return err
		}
		manifest.Layers = append(manifest.Layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
		config.History = append(config.History, ocispec.History{CreatedBy: fmt.Sprintf("layer %d", i)})
	}
	var err error
	if manifest.Config, err = writeJSON(dir, ocispec.MediaTypeImageConfig, config); err != nil {
		return err
	}
	d, err := writeJSON(dir, ocispec.MediaTypeImageManifest, manifest)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "tag-"+s.name), []byte(d.Digest), 0o644); err != nil {
		return err
	}
	return os.WriteFile(done, nil, 0o644)
}

func writeJSON(dir, mediaType string, v any) (ocispec.Descriptor, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	return d, os.WriteFile(filepath.Join(dir, "blobs", d.Digest.Encoded()), raw, 0o644)
}

func generateLayer(dir string, l layerShape, seed uint64) (ocispec.Descriptor, digest.Digest, error) {
	d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip}
	temp, err := os.CreateTemp(dir, "layer-")
	if err != nil {
		return d, "", err
	}
	packed, plain := digest.SHA256.Digester(), digest.SHA256.Digester()
	z, err := layer.Compress(io.MultiWriter(temp, packed.Hash()), layer.Compression{Kind: layer.Gzip})
	if err == nil {
		err = errors.Join(writeLayer(io.MultiWriter(z, plain.Hash()), l, seed), z.Close(), temp.Sync(), temp.Close())
	}
	if err != nil {
		return d, "", err
	}
	st, err := os.Stat(temp.Name())
	if err != nil {
		return d, "", err
	}
	d.Digest, d.Size = packed.Digest(), st.Size()
	return d, plain.Digest(), os.Rename(temp.Name(), filepath.Join(dir, "blobs", d.Digest.Encoded()))
}

// writeLayer writes the archive: directories of files whose sizes spread as in real
// trees, most small and a few large, with some links and owners between.
func writeLayer(w io.Writer, l layerShape, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 42))
	t := tar.NewWriter(w)
	text := phrases(r)
	at := time.Unix(1_700_000_000, 0)
	left := l.bytes
	dir := ""
	for i := range l.files {
		if i%l.perDir == 0 {
			dir = fmt.Sprintf("usr/share/p%02d/d%05d-%d/", i/l.perDir%37, i/l.perDir, seed)
			if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: at}); err != nil {
				return err
			}
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("%sfile-%06d.txt", dir, i), Mode: 0o644, ModTime: at.Add(time.Duration(i) * time.Second)}
		switch {
		case i%29 == 7:
			h.Typeflag, h.Linkname = tar.TypeSymlink, fmt.Sprintf("file-%06d.txt", i-1)
		case i%97 == 5:
			h.Uid, h.Gid = 100+i%50, 100+i%50
			fallthrough
		default:
			h.Size = fileSize(r, left/int64(l.files-i), l.largest)
			left = max(0, left-h.Size)
		}
		if i%13 == 0 {
			h.Mode = 0o755
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if err := writeContent(t, r, text, h.Size); err != nil {
			return err
		}
	}
	return t.Close()
}

// fileSize: half of the files share a tenth of the bytes.
func fileSize(r *rand.Rand, mean, largest int64) int64 {
	x := r.ExpFloat64()
	return min(largest, int64(float64(mean)*x*x/2))
}

// phrases are what text and records are made of: long ones repeat, as lines of
// sources and symbols of binaries do.
func phrases(r *rand.Rand) [][]byte {
	list := make([][]byte, 20_000)
	for i := range list {
		list[i] = make([]byte, 3+r.IntN(8)*r.IntN(8))
		for j := range list[i] {
			list[i][j] = "etaoinshrdlucmfwypvbgkqjxz_0123456789 \n\t;.("[min(r.IntN(43), r.IntN(43))]
		}
	}
	return list
}

// writeContent writes text, or what looks like machine code: records of which some
// bytes repeat and some do not. Together they compress to about two fifths.
func writeContent(w io.Writer, r *rand.Rand, phrases [][]byte, size int64) error {
	var b bytes.Buffer
	binaryFile := r.IntN(10) < 3
	for size > 0 {
		b.Reset()
		for b.Len() < 64<<10 && int64(b.Len()) < size {
			if binaryFile && r.IntN(3) > 0 {
				var record [16]byte
				binary.LittleEndian.PutUint64(record[:], r.Uint64()>>(8+r.IntN(50)))
				binary.LittleEndian.PutUint32(record[8:], uint32(r.IntN(1<<10)))
				b.Write(record[:])
				continue
			}
			n := len(phrases) >> r.IntN(9)
			b.Write(phrases[r.IntN(n)])
		}
		n := min(size, int64(b.Len()))
		if _, err := w.Write(b.Bytes()[:n]); err != nil {
			return err
		}
		size -= n
	}
	return nil
}
