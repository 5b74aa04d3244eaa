package pull

import (
	"errors"

	"berth/image"
)

// resolve finds what the name stands for now, and its content.
func (p *puller) resolve() (image.Descriptor, *image.Manifest, []byte, error) {
	if d, m, raw, err := p.unchanged(); m != nil || err != nil {
		return d, m, raw, err
	}
	top, raw, err := p.o.Source.Resolve(p.ctx, p.o.Ref)
	if err != nil {
		return top, nil, nil, err
	}
	if err := image.CheckDescriptor(top); err != nil {
		return top, nil, nil, err
	}
	m, err := image.ParseManifest(top.MediaType, raw)
	if err != nil {
		return top, nil, nil, err
	}
	top.MediaType = m.MediaType
	return top, m, raw, nil
}

// unchanged returns what the store has under the name if that is what the source
// would send, else nil. A digest says so itself; of a tag the source is asked for the
// digest, which registries that limit pulls do not count as one. The content is the
// store's own, verified, so a wrong answer brings nothing that was not pulled before.
func (p *puller) unchanged() (image.Descriptor, *image.Manifest, []byte, error) {
	known, err := p.known()
	if err != nil {
		return known, nil, nil, nil //nolint:nilerr // the name is new
	}
	want := p.o.Ref.Digest()
	if head, can := p.o.Source.(image.Header); want == "" && can {
		now, err := head.Head(p.ctx, p.o.Ref)
		if errors.Is(err, image.ErrNotFound) {
			return known, nil, nil, nil
		}
		if err != nil {
			return known, nil, nil, err
		}
		want = now.Digest
	}
	if known.Digest != want {
		return known, nil, nil, nil
	}
	raw, err := p.stored(known)
	if raw == nil {
		return known, nil, nil, err
	}
	m, err := image.ParseManifest(known.MediaType, raw)
	if err != nil {
		return known, nil, nil, err
	}
	known.MediaType = m.MediaType
	return known, m, raw, nil
}

// known is what the store has under the name. A digest is known by another name of the
// same repository, too; what other repositories have is not for this one to be called
// by, unless its registry has it.
func (p *puller) known() (image.Descriptor, error) {
	d, err := p.o.Store.Named(p.o.Name)
	want := p.o.Ref.Digest()
	if err == nil || want == "" {
		return d, err
	}
	refs, refsErr := p.o.Store.Refs()
	if refsErr != nil {
		return d, refsErr
	}
	for _, r := range refs {
		name, nameErr := r.Reference()
		if nameErr == nil && r.Descriptor.Digest == want && name.Name() == p.o.Name.Name() {
			return r.Descriptor, nil
		}
	}
	return d, err
}
