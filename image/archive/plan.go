package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"berth/image"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Item is an image to be saved.
type Item struct {
	// Name is written into the archive, unless it is the zero value.
	Name       image.Reference
	Descriptor image.Descriptor
}

// SaveOptions say what is saved of images that are in the store.
type SaveOptions struct {
	// Docker writes manifest.json as well, which docker before 25 needs. Of an index
	// it takes one image, Platform's or the host's.
	Docker bool
	// Platform saves the image of one platform alone.
	Platform *image.Platform
}

// plan is what is written: blobs in the order of the images, each once, and the
// files that name them.
type plan struct {
	s     *store.Store
	o     SaveOptions
	blobs []image.Descriptor
	seen  map[digest.Digest]bool
	index ocispec.Index
	// docker is manifest.json.
	docker []dockerEntry
}

func newPlan(s *store.Store, items []Item, o SaveOptions) (*plan, error) {
	p := &plan{s: s, o: o, seen: map[digest.Digest]bool{}}
	p.index = ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []image.Descriptor{}}
	if len(items) == 0 {
		return nil, errors.New("save: no image is named")
	}
	for _, item := range items {
		if err := p.add(item); err != nil {
			if item.Name.IsZero() {
				return nil, fmt.Errorf("save %s: %w", item.Descriptor.Digest, err)
			}
			return nil, fmt.Errorf("save %s: %w", item.Name.Familiar(), err)
		}
	}
	return p, nil
}

func (p *plan) add(item Item) error {
	d, err := p.pick(item.Descriptor)
	if err != nil {
		return err
	}
	if err := p.content(d); err != nil {
		return err
	}
	named := d
	named.Annotations = maps.Clone(d.Annotations)
	if !item.Name.IsZero() {
		if named.Annotations == nil {
			named.Annotations = map[string]string{}
		}
		named.Annotations[ocispec.AnnotationRefName] = item.Name.String()
		named.Annotations[annotationName] = item.Name.String()
	}
	p.index.Manifests = append(p.index.Manifests, named)
	if p.o.Docker {
		return p.addDocker(item.Name, d)
	}
	return nil
}

// pick decides between an index and one of its images: the index goes as a whole if
// all of it is there, or several images of it.
func (p *plan) pick(d image.Descriptor) (image.Descriptor, error) {
	m, _, err := p.s.ReadManifest(d)
	if err != nil {
		return d, err
	}
	if m.Index == nil {
		if p.o.Platform == nil {
			return d, nil
		}
		return d, p.checkPlatform(m.Image)
	}
	here := p.s.Images(d)
	all := !slices.ContainsFunc(m.Index.Manifests, func(child image.Descriptor) bool { return !p.s.Has(child.Digest) })
	if p.o.Platform == nil && !p.o.Docker && (all || len(here) > 1) {
		return d, nil
	}
	want := image.HostPlatform()
	if p.o.Platform != nil {
		want = *p.o.Platform
	} else if len(here) == 1 {
		return here[0].Descriptor, nil
	}
	img, err := p.s.Image(d, want)
	return img.Descriptor, err
}

func (p *plan) checkPlatform(m *ocispec.Manifest) error {
	c, _, err := p.s.ReadConfig(m.Config)
	if err != nil {
		return err
	}
	if !image.MatchPlatform(c.Platform, *p.o.Platform) {
		return fmt.Errorf("platform %s: the image has only %s", image.FormatPlatform(*p.o.Platform), image.FormatPlatform(c.Platform))
	}
	return nil
}

// content lists all blobs below a manifest or index, what names others behind them.
func (p *plan) content(d image.Descriptor) error {
	if p.seen[d.Digest] {
		return nil
	}
	p.seen[d.Digest] = true
	m, _, err := p.s.ReadManifest(d)
	if err != nil {
		return err
	}
	if m.Index != nil {
		for _, child := range m.Index.Manifests {
			if !p.s.Has(child.Digest) {
				continue
			}
			if err := p.content(child); err != nil {
				return err
			}
		}
	} else {
		for _, blob := range slices.Concat(m.Image.Layers, []image.Descriptor{m.Image.Config}) {
			if !p.seen[blob.Digest] {
				p.seen[blob.Digest] = true
				p.blobs = append(p.blobs, blob)
			}
		}
	}
	p.blobs = append(p.blobs, d)
	return nil
}

// addDocker names the files of the layout in manifest.json: docker and podman read
// layers that are compressed.
func (p *plan) addDocker(name image.Reference, d image.Descriptor) error {
	m, _, err := p.s.ReadManifest(d)
	if err != nil {
		return err
	}
	if m.Image == nil {
		return errors.New("docker's archive has no place for an index")
	}
	e := dockerEntry{Config: blobFile(m.Image.Config.Digest), RepoTags: []string{}, Layers: []string{}}
	for _, l := range m.Image.Layers {
		e.Layers = append(e.Layers, blobFile(l.Digest))
	}
	if tag := dockerTag(name); tag != "" {
		e.RepoTags = append(e.RepoTags, tag)
	}
	for i, other := range p.docker {
		if other.Config == e.Config {
			p.docker[i].RepoTags = slices.Concat(other.RepoTags, e.RepoTags)
			return nil
		}
	}
	p.docker = append(p.docker, e)
	return nil
}

// dockerTag is the name as docker writes it; there is none without a tag.
func dockerTag(name image.Reference) string {
	if name.IsZero() || name.Tag() == "" || name.Digest() != "" {
		return ""
	}
	return name.Familiar()
}

func blobFile(d digest.Digest) string {
	return "blobs/" + d.Algorithm().String() + "/" + d.Encoded()
}

// small are the files beside the blobs, in order.
func (p *plan) small() ([]smallFile, error) {
	index, err := json.Marshal(p.index)
	if err != nil {
		return nil, fmt.Errorf("encode index: %w", err)
	}
	list := []smallFile{{ocispec.ImageIndexFile, append(index, '\n')}, {ocispec.ImageLayoutFile, []byte(`{"imageLayoutVersion":"1.0.0"}` + "\n")}}
	if p.o.Docker {
		docker, err := json.Marshal(p.docker)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", dockerManifest, err)
		}
		list = append(list, smallFile{dockerManifest, append(docker, '\n')})
	}
	return list, nil
}

type smallFile struct {
	name string
	raw  []byte
}
