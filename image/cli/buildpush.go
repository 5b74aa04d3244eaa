package cli

import (
	"fmt"

	"berth/image"
	"berth/image/build"
	"berth/image/registry"
)

// pushBuilt sends what was built to the registries of its names, as `push` does, if the
// output asks for it.
func (b *berth) pushBuilt(f *buildRequest, o build.Options, r build.Result, to buildOutput) error {
	if !to.push {
		return nil
	}
	for _, name := range to.names {
		var err error
		if to.byDigest {
			if name, err = name.WithDigest(r.Descriptor.Digest); err != nil {
				return err
			}
		}
		if err = b.pushName(f, o, r.Descriptor, name, to.insecure); err != nil {
			return err
		}
	}
	return nil
}

func (b *berth) pushName(f *buildRequest, o build.Options, d image.Descriptor, name image.Reference, insecure bool) error {
	step := o.Display.Step("pushing " + name.Familiar())
	how := f.remote
	how.insecure = how.insecure || insecure
	how.notice = func(text string) { _, _ = fmt.Fprintln(step, text) } // it never fails
	client, _, err := b.registry(how)
	if err == nil {
		defer client.Close()
		err = client.Push(b.ctx, registry.PushOptions{Content: o.Store, Ref: name, Descriptor: d, MountFrom: mountFrom(o.Store, name)})
	}
	if err != nil {
		step.Fail(err)
		return fmt.Errorf("push %s: %w", name.Familiar(), err)
	}
	step.Done()
	return nil
}
