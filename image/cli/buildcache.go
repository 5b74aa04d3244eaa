package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"berth/image"
	"berth/image/archive"
	"berth/image/build"
	"berth/image/registry"
	"berth/internal/cleanup"
)

// cachePlace is one --cache-from or --cache-to.
type cachePlace struct {
	dir  string // of an OCI layout
	ref  string // at a registry
	mode build.CacheMode
}

// cacheName is what the cache is called in a directory, of which it is the only image.
const cacheName = "localhost/cache:latest"

func readCachePlace(text string) (cachePlace, error) {
	if !strings.Contains(text, "=") {
		return cachePlace{ref: text, mode: build.CacheMin}, nil
	}
	m, err := fields(text)
	if err != nil {
		return cachePlace{}, err
	}
	p := cachePlace{mode: build.CacheMin}
	switch m["mode"] {
	case "", "min":
	case "max":
		p.mode = build.CacheMax
	default:
		return p, fmt.Errorf("the mode %s is not min or max", m["mode"])
	}
	switch m["type"] {
	case "local":
		if p.dir = m["src"] + m["dest"]; p.dir == "" {
			return p, errors.New("the directory is missing: src=DIR or dest=DIR")
		}
		p.dir, err = filepath.Abs(p.dir)
		return p, err
	case "registry":
		if p.ref = m["ref"]; p.ref == "" {
			return p, errors.New("the name is missing: ref=NAME")
		}
		return p, nil
	}
	return p, fmt.Errorf("the type %s is not known; it is local or registry", m["type"])
}

// readCaches reads --cache-from and --cache-to.
func (f *buildRequest) readCaches() error {
	for _, text := range f.cacheFrom {
		p, err := readCachePlace(text)
		if err != nil {
			return fmt.Errorf("--cache-from %s: %w", text, err)
		}
		f.from = append(f.from, p)
	}
	for _, text := range f.cacheTo {
		p, err := readCachePlace(text)
		if err != nil {
			return fmt.Errorf("--cache-to %s: %w", text, err)
		}
		f.to = append(f.to, p)
		f.options.CacheTo = max(f.options.CacheTo, p.mode)
	}
	return nil
}

// openCaches finds the caches of --cache-from. One that is not there is worth a
// warning: the first build of a machine has none.
func (b *berth) openCaches(f *buildRequest, warn func(string)) ([]build.CacheSource, func()) {
	var list []build.CacheSource
	var undo cleanup.Stack
	for i, p := range f.from {
		word := p.ref
		if p.dir != "" {
			word = "oci:" + p.dir
		}
		from, err := b.origin(word, f.remote)
		if err != nil {
			warn(fmt.Sprintf("--cache-from %s: %v", f.cacheFrom[i], err))
			continue
		}
		undo.Add(from.Close)
		_, raw, err := from.Resolve(b.ctx, from.Ref)
		if err != nil {
			warn(fmt.Sprintf("--cache-from %s: %v", f.cacheFrom[i], err))
			continue
		}
		list = append(list, build.CacheSource{Source: from, Ref: from.Ref, Manifest: raw})
	}
	return list, undo.Run
}

// writeCaches writes the cache of the build to where --cache-to wants it.
func (b *berth) writeCaches(f *buildRequest, o build.Options, r build.Result) error {
	for i, p := range f.to {
		if len(r.Images) != 1 || r.Images[0].Cache == nil {
			return errors.New("--cache-to: the cache is that of one platform")
		}
		if err := b.writeCache(f, o, *r.Images[0].Cache, p); err != nil {
			return fmt.Errorf("--cache-to %s: %w", f.cacheTo[i], err)
		}
	}
	return nil
}

func (b *berth) writeCache(f *buildRequest, o build.Options, cache image.Descriptor, p cachePlace) error {
	if p.dir != "" {
		name, err := image.ParseReference(cacheName)
		if err != nil {
			return err
		}
		return archive.SaveDir(b.ctx, p.dir, o.Store, []archive.Item{{Name: name, Descriptor: cache}}, archive.SaveOptions{})
	}
	to, err := b.origin(p.ref, f.remote)
	if err != nil {
		return err
	}
	defer to.Close()
	client, ok := to.Source.(*registry.Client)
	if !ok {
		return errors.New("not the name of an image at a registry")
	}
	return client.Push(b.ctx, registry.PushOptions{Content: o.Store, Ref: to.Ref, Descriptor: cache})
}
