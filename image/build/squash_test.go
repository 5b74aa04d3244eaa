package build

import (
	"crypto/sha256"
	"testing"
	"time"
)

// TestSquash: one layer shows what the several have shown.
func TestSquash(t *testing.T) {
	b := newBench(t).busybox()
	epoch := time.Unix(1_000_000_000, 0)
	b.o.Epoch = &epoch
	const dockerfile = `FROM base
RUN mkdir -p /d/e /k/x && echo 1 > /d/e/f && echo 2 > /k/x/y && ln /d/e/f /d/hard && chown 33:34 /d && rm -r /usr
RUN rm -r /d/e && mkdir /d/e && echo 3 > /d/e/g && chmod 2750 /d/e
RUN rm -r /k && echo now a file > /k && rm /bin/cat && mkdir /bin/cat && mkdir /usr
RUN rm /k && mkdir /k && echo again > /k/z && ln -sf nowhere /d/link && touch /d/hard
RUN rm -r /d/e /bin/ls
`
	several := b.build(dockerfile, "several")
	b.o.Squash = true
	one := b.build(dockerfile, "one")
	if n := len(one.Images[0].Layers); n != 2 {
		t.Errorf("%d layers", n)
	}
	sum := func(r Result) (d [sha256.Size]byte) {
		h := sha256.New()
		o := b.o
		o.Epoch = nil
		must(t, ExportTar(t.Context(), o, r, h))
		h.Sum(d[:0])
		return d
	}
	if sum(several) != sum(one) {
		t.Error("the files differ")
	}
}

// TestCacheDocument: what is no cache is refused.
func TestCacheDocument(t *testing.T) {
	for _, manifest := range []string{"", "[]", `{"config":{"mediaType":"application/vnd.oci.image.config.v1+json"}}`, `{"config":{"mediaType":"` + CacheMediaType + `","digest":"sha256:../../x","size":1}}`, `{"config":{"mediaType":"` + CacheMediaType + `","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":99999999999}}`} {
		if _, err := (CacheSource{Manifest: []byte(manifest)}).read(t.Context()); err == nil {
			t.Errorf("%s is taken for a cache", manifest)
		}
	}
}
