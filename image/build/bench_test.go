package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/image"
	"berth/image/store"
)

// nothing is a Runner whose commands cost nothing and change nothing.
type nothing struct{}

func (nothing) Run(context.Context, string, IO) (int, error) { return 0, nil }

// BenchmarkRunStep is what a RUN step costs beside its container.
func BenchmarkRunStep(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("overlays are mounted: needs root")
	}
	s, err := store.Open(store.Options{Dir: filepath.Join(b.TempDir(), "store")})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var text strings.Builder
	text.WriteString("FROM scratch\n")
	for i := range min(b.N, 100) {
		fmt.Fprintf(&text, "RUN [\"/%d\"]\n", i)
	}
	o := Options{Store: s, Name: "Dockerfile", Dockerfile: []byte(text.String()), Runner: nothing{}, Images: storeImages{s}, NoCache: true, Platforms: []image.Platform{image.HostPlatform()}}
	b.ResetTimer()
	for done := 0; done < b.N; done += 100 {
		if _, err := Build(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}
