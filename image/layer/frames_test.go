package layer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zstdTool compresses by the reference implementation.
func zstdTool(t *testing.T, content []byte, flags ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("zstd"); err != nil {
		t.Skip("no zstd (Debian: zstd)")
	}
	cmd := exec.Command("zstd", append([]string{"-q", "-c"}, flags...)...)
	cmd.Stdin = bytes.NewReader(content)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("zstd %v: %v: %s", flags, err, said.String())
	}
	return out.Bytes()
}

// someContent compresses by half, and has long repetitions and long runs.
func someContent(n int) []byte {
	r := rand.New(rand.NewSource(int64(n)))
	var content []byte
	for len(content) < n {
		word := make([]byte, 1000)
		r.Read(word)
		content = append(append(append(content, word...), word...), make([]byte, r.Intn(300_000))...)
	}
	return content[:n]
}

// TestFrames: whatever frames a stream has, it comes out whole, and those that need
// much memory wait for their turn.
func TestFrames(t *testing.T) {
	content := someContent(3 << 20)
	plain := zstdTool(t, content)
	long := zstdTool(t, content, "--long=27")
	skippable := binary.LittleEndian.AppendUint32([]byte{0x53, 0x2a, 0x4d, 0x18}, 100_000)
	skippable = append(skippable, make([]byte, 100_000)...)
	for _, c := range []struct {
		name  string
		raw   []byte
		times int // of the content
		turns int
	}{
		{"usual", plain, 1, 0},
		{"the strongest usual", zstdTool(t, content, "-19"), 1, 0},
		{"ultra", zstdTool(t, content, "--ultra", "-22"), 1, 1},
		{"long", long, 1, 1},
		{"no checksum", zstdTool(t, content, "--no-check"), 1, 0},
		{"several frames", bytes.Join([][]byte{plain, long, skippable, plain, long}, nil), 4, 2},
		{"skippable first", append(bytes.Clone(skippable), long...), 1, 1},
		{"nothing", zstdTool(t, nil), 0, 0},
	} {
		turns := 0
		r, err := DecompressInTurn("", bytes.NewReader(c.raw), func() error { turns++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		have, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(have, bytes.Repeat(content, c.times)) || turns != c.turns {
			t.Errorf("%s: %d bytes, %d turns, %v", c.name, len(have), turns, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTurnEnds: the error of a turn is that of the reader.
func TestTurnEnds(t *testing.T) {
	mine := errors.New("not now")
	r, err := DecompressInTurn("", bytes.NewReader(zstdTool(t, someContent(1<<20), "--long=27")), func() error { return mine })
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, mine) {
		t.Errorf("%v", err)
	}
}

// TestMemoryOfZstd: a frame may want no more memory than is allowed, in a window or as
// one segment, for which the decoder has no limit of its own.
func TestMemoryOfZstd(t *testing.T) {
	const magic = "\x28\xb5\x2f\xfd"
	single := binary.LittleEndian.AppendUint64([]byte(magic+"\xe0"), 60<<30)
	for name, raw := range map[string][]byte{
		"a segment": append(single, 1, 0, 0),
		"a window":  append([]byte(magic+"\x00\xa0"), 1, 0, 0), // 1 GiB
	} {
		r, err := Decompress("", bytes.NewReader(append(raw, make([]byte, 100)...)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err == nil || !strings.Contains(err.Error(), "MiB of memory") {
			t.Errorf("%s: %v", name, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzFrames: what goes through is what came, or an error; the decoder says the same
// with and without a look at the frames.
func FuzzFrames(f *testing.F) {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	whole := w.EncodeAll(someContent(10_000), nil)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(append(bytes.Clone(whole), "trailing"...))
	f.Add([]byte("\x50\x2a\x4d\x18\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := Decompress("", bytes.NewReader(raw))
		if err != nil || Sniff(raw) != Zstd {
			return
		}
		defer r.Close()
		have, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err != nil && strings.Contains(err.Error(), "MiB of memory") {
			return // the decoder would take it
		}
		z, zErr := zstd.NewReader(bytes.NewReader(raw), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if zErr != nil {
			t.Fatal(zErr)
		}
		defer z.Close()
		want, wantErr := io.ReadAll(io.LimitReader(z, 1<<20))
		if wantErr == nil && err == nil && !bytes.Equal(have, want) {
			t.Errorf("%d bytes, not %d", len(have), len(want))
		}
		if wantErr != nil && err == nil {
			t.Errorf("it is read, and the decoder says %v", wantErr)
		}
	})
}
