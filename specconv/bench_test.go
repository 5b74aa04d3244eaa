package specconv

import (
	"os"
	"testing"
)

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load("", "testdata/docker.json"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root: without it every config must have a user namespace")
	}
	dir := bundle(b)
	doc, err := Load("", "testdata/docker.json")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Convert(doc, Options{ID: "c1", Bundle: dir}); err != nil {
			b.Fatal(err)
		}
	}
}
