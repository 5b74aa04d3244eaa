package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"berth/image"
	"berth/image/archive"
	"berth/image/build"
	"berth/image/registry"
	"berth/internal/cleanup"
)

// cachePlace is one --cache-from or --cache-to.
type cachePlace struct {
	text   string // of the flag
	dir    string // of an OCI layout
	ref    string // at a registry
	inline bool   // in the image itself
	mode   build.CacheMode
	// lax: an error is a warning.
	lax bool
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
	if word, ok := m["ignore-error"]; ok {
		if err := readTruth(word, &p.lax); err != nil {
			return p, fmt.Errorf("ignore-error: %w", err)
		}
	}
	switch m["type"] {
	case "inline":
		p.inline = true
		return p, nil
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
	return p, fmt.Errorf("the type %s is not known; it is inline, local or registry", m["type"])
}

// readCaches reads --cache-from and --cache-to.
func (f *buildRequest) readCaches() error {
	for _, text := range f.cacheFrom {
		p, err := readCachePlace(text)
		if err == nil && p.inline {
			err = errors.New("the image that has it is named by type=registry,ref=NAME")
		}
		if err != nil {
			return fmt.Errorf("--cache-from %s: %w", text, err)
		}
		p.text = text
		f.from = append(f.from, p)
	}
	for _, text := range f.cacheTo {
		p, err := readCachePlace(text)
		if err != nil {
			return fmt.Errorf("--cache-to %s: %w", text, err)
		}
		if p.inline {
			f.options.CacheInline = true
			continue
		}
		p.text = text
		f.to = append(f.to, p)
		f.options.CacheTo = max(f.options.CacheTo, p.mode)
	}
	// How docker's users have asked for it before --cache-to.
	if text, ok := f.options.BuildArgs["BUILDKIT_INLINE_CACHE"]; ok {
		inline, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("--build-arg BUILDKIT_INLINE_CACHE=%s: it is 1 or 0", text)
		}
		f.options.CacheInline = f.options.CacheInline || inline
	}
	return nil
}

// openCaches finds the caches of --cache-from. One that is not there is worth a
// warning: the first build of a machine has none.
func (b *berth) openCaches(f *buildRequest, warn func(string)) ([]build.CacheSource, func()) {
	var list []build.CacheSource
	var undo cleanup.Stack
	for _, p := range f.from {
		word := p.ref
		if p.dir != "" {
			word = "oci:" + p.dir
		}
		from, err := b.origin(word, f.remote)
		if err != nil {
			warn(fmt.Sprintf("--cache-from %s: %v", p.text, err))
			continue
		}
		undo.Add(from.Close)
		d, raw, err := from.Resolve(b.ctx, from.Ref)
		if err != nil {
			warn(fmt.Sprintf("--cache-from %s: %v", p.text, err))
			continue
		}
		list = append(list, build.CacheSource{Source: from, Ref: from.Ref, Descriptor: d, Manifest: raw})
	}
	return list, undo.Run
}

// writeCaches writes the cache of the build to where --cache-to wants it.
func (b *berth) writeCaches(f *buildRequest, o build.Options, r build.Result) error {
	for _, p := range f.to {
		step := o.Display.Step("exporting cache to " + p.dir + p.ref)
		err := b.writeCache(f, o, *r.Cache, p)
		if err == nil {
			step.Done()
			continue
		}
		step.Fail(err)
		err = fmt.Errorf("--cache-to %s: %w", p.text, err)
		if !p.lax {
			return err
		}
		o.Warn(err.Error())
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
