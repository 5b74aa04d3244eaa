package layer

import (
	"bytes"
	stdgzip "compress/gzip"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
)

// text is compressible and not periodic.
func text(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := make([][]byte, 2000)
	for i := range words {
		words[i] = make([]byte, 3+r.IntN(9))
		for j := range words[i] {
			words[i][j] = byte('a' + r.IntN(26))
		}
	}
	var b bytes.Buffer
	for b.Len() < size {
		b.Write(words[r.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.Bytes()[:size]
}

func compress(t *testing.T, c Compression, data []byte, step int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := Compress(&b, c)
	if err != nil {
		t.Fatal(err)
	}
	for rest := data; len(rest) > 0; {
		n := min(step, len(rest))
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCompressRoundTrip(t *testing.T) {
	for _, c := range []Compression{{None, 0}, {Gzip, 0}, {Gzip, 1}, {Gzip, 9}, {Zstd, 0}, {Zstd, 1}} {
		for _, size := range []int{0, 1, gzipBlock - 1, gzipBlock, gzipBlock + 1, 2<<20 + 77} {
			data := text(size)
			packed := compress(t, c, data, 100_000)
			if got := Sniff(packed); size > 0 && got != c.Kind {
				t.Errorf("%v: sniffed %v", c, got)
			}
			r, err := Decompress("", bytes.NewReader(packed))
			if err != nil {
				t.Fatalf("%v of %d: %v", c, size, err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%v of %d: %d bytes, %v", c, size, len(got), err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if c.Kind == Gzip {
				z, err := stdgzip.NewReader(bytes.NewReader(packed))
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%v of %d: the standard library reads %d bytes, %v", c, size, len(got), err)
				}
			}
		}
	}
}

// TestCompressIsReproducible: neither processors nor the sizes of writes show.
func TestCompressIsReproducible(t *testing.T) {
	data := text(3<<20 + 123)
	for _, c := range []Compression{{Gzip, 0}, {Gzip, 1}, {Gzip, 9}, {Zstd, 0}} {
		want := compress(t, c, data, len(data))
		for _, procs := range []int{1, 2, 5} {
			before := runtime.GOMAXPROCS(procs)
			got := compress(t, c, data, 4097*procs)
			runtime.GOMAXPROCS(before)
			if !bytes.Equal(got, want) {
				t.Errorf("%v with %d processors: other bytes", c, procs)
			}
		}
	}
}

func TestDecompressRefuses(t *testing.T) {
	for name, head := range map[string][]byte{
		"bzip2":         []byte("BZh91AY&SY"),
		"xz":            {0xfd, '7', 'z', 'X', 'Z', 0, 0, 0},
		"broken gzip":   {0x1f, 0x8b, 9, 0, 0, 0, 0, 0, 0, 0},
		"broken header": {0x1f, 0x8b, 8},
	} {
		r, err := Decompress("", bytes.NewReader(head))
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkDecompressGzip(b *testing.B) {
	data := text(16 << 20)
	var packed bytes.Buffer
	w, _ := Compress(&packed, Compression{Kind: Gzip})
	_, _ = w.Write(data)
	_ = w.Close()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r, err := Decompress("", bytes.NewReader(packed.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
