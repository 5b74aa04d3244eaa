package gunzip

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// samples are contents of many kinds.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 300_000)
	for i := range skewed {
		skewed[i] = byte(r.ExpFloat64() * 3)
	}
	long := make([]byte, 0, 400_000)
	for i := range 2000 {
		long = fmt.Appendf(long, "%d and %d make %d\n", i, i*i, i*i+i)
	}
	far := append(append(bytes.Clone(noise[:40_000]), noise[:32_768]...), noise[7300:40_000]...)
	// Codes of very different lengths: Fibonacci numbers of each byte.
	var deep []byte
	for a, b, c := 1, 1, byte(0); c < 24; a, b, c = b, a+b, c+1 {
		deep = append(deep, bytes.Repeat([]byte{c}, a)...)
	}
	r.Shuffle(len(deep), func(i, j int) { deep[i], deep[j] = deep[j], deep[i] })
	return map[string][]byte{
		"empty": {}, "one": {'x'}, "short": []byte("hello, hello, hello"),
		"noise": noise, "skewed": skewed, "text": long, "far": far, "deep": deep,
		"zeros": make([]byte, 1_000_000), "pairs": bytes.Repeat([]byte("ab"), 100_000),
		"threes": bytes.Repeat([]byte("abc"), 100_000), "sevens": bytes.Repeat([]byte("abcdefg"), 50_000),
		"mixed": bytes.Join([][]byte{noise[:50_000], long, make([]byte, 70_000), skewed}, nil),
	}
}

func pack(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	for name, data := range samples() {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6, 9} {
			packed := pack(t, data, level)
			for way, r := range map[string]io.Reader{
				"whole": bytes.NewReader(packed), "bytes": iotest.OneByteReader(bytes.NewReader(packed)),
				"halves": iotest.HalfReader(bytes.NewReader(packed)), "early": iotest.DataErrReader(bytes.NewReader(packed)),
			} {
				got, err := io.ReadAll(NewReader(r))
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s, level %d, %s: %d bytes of %d, %v", name, level, way, len(got), len(data), err)
				}
			}
		}
	}
}

func TestMembersAndHeader(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name, w.Comment, w.Extra = "name", "comment", []byte("extra")
	fmt.Fprint(w, "first")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b.Write(pack(t, nil, 6))
	b.Write(pack(t, []byte(" second"), 6))
	got, err := io.ReadAll(NewReader(&b))
	if err != nil || string(got) != "first second" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestNoReferenceIntoThePast: a match does not reach into the member before.
func TestNoReferenceIntoThePast(t *testing.T) {
	var second bytes.Buffer
	w, err := flate.NewWriterDict(&second, 9, []byte("the member before"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, "the member before")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	all := append(pack(t, []byte("the member before"), 9), pack(t, nil, 6)[:10]...)
	all = append(all, second.Bytes()...)
	if _, err := io.ReadAll(NewReader(bytes.NewReader(all))); !errors.Is(err, ErrData) {
		t.Errorf("got %v", err)
	}
}

func TestBroken(t *testing.T) {
	data := samples()["mixed"]
	packed := pack(t, data, 6)
	for cut := range 400 {
		n := len(packed) * cut / 400
		_, err := io.ReadAll(NewReader(bytes.NewReader(packed[:n])))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut after %d of %d: %v", n, len(packed), err)
		}
	}
	wrong := bytes.Clone(packed)
	wrong[len(wrong)-5] ^= 1
	if _, err := io.ReadAll(NewReader(bytes.NewReader(wrong))); !errors.Is(err, ErrChecksum) {
		t.Errorf("wrong checksum: %v", err)
	}
	if _, err := io.ReadAll(NewReader(strings.NewReader("no gzip at all"))); !errors.Is(err, ErrHeader) {
		t.Errorf("no gzip: %v", err)
	}
	if _, err := io.ReadAll(NewReader(io.MultiReader(bytes.NewReader(packed), strings.NewReader("trailing rubbish")))); !errors.Is(err, ErrHeader) {
		t.Errorf("rubbish behind: %v", err)
	}
	failing := errors.New("the line was cut")
	if _, err := io.ReadAll(NewReader(io.MultiReader(bytes.NewReader(packed[:1000]), iotest.ErrReader(failing)))); !errors.Is(err, failing) {
		t.Errorf("an error of the source: %v", err)
	}
}

// FuzzAgainstStandard: both say the same, up to how they call what is wrong.
func FuzzAgainstStandard(f *testing.F) {
	for name, data := range samples() {
		if name != "deep" && name != "mixed" {
			f.Add(pack(f, data[:min(len(data), 3000)], 6))
			f.Add(pack(f, data[:min(len(data), 3000)], 1))
		}
	}
	f.Add(pack(f, []byte("stored"), 0))
	f.Fuzz(func(t *testing.T, packed []byte) {
		const most = 1 << 20
		got, err := io.ReadAll(io.LimitReader(NewReader(bytes.NewReader(packed)), most))
		var want []byte
		std, stdErr := gzip.NewReader(bytes.NewReader(packed))
		if stdErr == nil {
			want, stdErr = io.ReadAll(io.LimitReader(std, most))
		}
		if stdErr == io.EOF {
			stdErr = io.ErrUnexpectedEOF // of an empty input
		}
		if errors.Is(stdErr, gzip.ErrHeader) && err == nil && hasLongField(packed) {
			return // names of more than 512 bytes are valid by RFC 1952
		}
		if len(got) == most || len(want) == most {
			// Neither was read to its end, and the standard library keeps back more of
			// what comes before an error.
			if n := min(len(got), len(want)); !bytes.Equal(got[:n], want[:n]) {
				t.Fatalf("the first %d bytes differ", n)
			}
			return
		}
		if (err == nil) != (stdErr == nil) {
			t.Fatalf("got %v, the standard library %v", err, stdErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, the standard library has %d", len(got), len(want))
		}
	})
}

func hasLongField(packed []byte) bool {
	return len(packed) > 512 && bytes.Contains(packed, []byte{0x1f, 0x8b, 8})
}

func BenchmarkText(b *testing.B) {
	data := bytes.Repeat(samples()["mixed"], 10)
	packed := pack(b, data, 6)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, NewReader(bytes.NewReader(packed))); err != nil {
			b.Fatal(err)
		}
	}
}
