package cli

import (
	"fmt"
	"os"
	"strings"

	"berth/image"
	"berth/image/build"
	"berth/image/store"
	"berth/internal/cleanup"

	"golang.org/x/sys/unix"
)

// namedContexts opens the additional contexts.
func (b *berth) namedContexts(s *store.Store, f *buildRequest, tmp string) (map[string]build.Named, func(), error) {
	named := map[string]build.Named{}
	var undo cleanup.Stack
	for _, text := range f.contexts {
		name, place, ok := strings.Cut(text, "=")
		if !ok || name == "" || place == "" {
			undo.Run()
			return nil, nil, fmt.Errorf("--build-context %s: it is NAME=PLACE", text)
		}
		n, err := b.namedContext(s, f, tmp, place, &undo)
		if err != nil {
			undo.Run()
			return nil, nil, fmt.Errorf("--build-context %s: %w", name, err)
		}
		named[name] = n
	}
	return named, undo.Run, nil
}

func (b *berth) namedContext(s *store.Store, f *buildRequest, tmp, place string, undo *cleanup.Stack) (build.Named, error) {
	if name, ok := strings.CutPrefix(place, "docker-image://"); ok {
		ref, err := image.ParseReference(name)
		return build.Named{Image: ref}, err
	}
	if dir, ok := strings.CutPrefix(place, "oci-layout://"); ok {
		img, err := b.unpacked(s, "oci:"+dir, wishes{pull: "always", quiet: true, remote: f.remote})
		if err != nil {
			return build.Named{}, err
		}
		return build.Named{Manifest: &img.manifest}, nil
	}
	src, err := build.OpenContextAt(b.ctx, build.SourceOptions{Context: place, Tmp: tmp, SSH: f.options.SSH["default"]})
	if err != nil {
		return build.Named{}, err
	}
	undo.Add(src.Close)
	return build.Named{Context: src.Context}, nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
