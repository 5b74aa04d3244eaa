package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"berth/image"
	"berth/image/archive"
	"berth/image/build"
	"berth/image/layer"

	"github.com/urfave/cli/v2"
)

// buildOutput is one --output.
type buildOutput struct {
	kind string // image, oci, docker, tar, local
	dest string // "-" is stdout
	// names are its own; none: those of --tag.
	names []image.Reference
	// push sends an image to the registries of its names, byDigest without their tags;
	// insecure says how.
	push, byDigest, insecure bool
	// packing is how the layers are compressed, if packs says that it matters.
	packing build.Packing
	packs   bool
	// annotations are its attributes of that kind, by their names.
	annotations map[string]string
	// unnamed gives an image no name in the store.
	unnamed bool
}

// readOutputs reads --output, --push and --load. Without them the image goes into the
// store; what is written elsewhere alone gets no name there, as with docker.
func (f *buildRequest) readOutputs(c *cli.Context) error {
	for _, text := range c.StringSlice("output") {
		out, err := readOutput(text)
		if err != nil {
			return fmt.Errorf("--output %s: %w", text, err)
		}
		f.outputs = append(f.outputs, out)
	}
	if c.Bool("push") {
		f.pushAll()
	}
	if c.Bool("load") || len(f.outputs) == 0 {
		f.outputs = append(f.outputs, buildOutput{kind: "image"})
	}
	f.options.Tags, f.options.CacheOnly = nil, true
	for i := range f.outputs {
		out := &f.outputs[i]
		if len(out.names) == 0 {
			out.names = f.names
		}
		if out.push && len(out.names) == 0 {
			return errors.New("push: no name says where to: give one with --tag, or name= in --output")
		}
		if out.kind == "tar" || out.kind == "local" {
			f.options.Files = true
		} else {
			f.options.CacheOnly = false
		}
		if out.kind == "image" && !out.unnamed && !out.byDigest {
			f.options.Tags = join(f.options.Tags, out.names)
			f.kept = true
		}
	}
	return f.readPacking()
}

// pushAll is --push: the outputs that are images are pushed, or there is one more.
func (f *buildRequest) pushAll() {
	found := false
	for i := range f.outputs {
		if f.outputs[i].kind == "image" {
			f.outputs[i].push, found = true, true
		}
	}
	if !found {
		f.outputs = append(f.outputs, buildOutput{kind: "image", push: true})
	}
}

// join adds the names that are not in the list.
func join(list, more []image.Reference) []image.Reference {
	for _, n := range more {
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// delivered are the names of all outputs.
func (f *buildRequest) delivered() []image.Reference {
	var list []image.Reference
	for _, out := range f.outputs {
		list = join(list, out.names)
	}
	return list
}

func readOutput(text string) (buildOutput, error) {
	if !strings.Contains(text, "=") {
		if text == "-" {
			return buildOutput{kind: "tar", dest: "-"}, nil
		}
		dest, err := filepath.Abs(text)
		return buildOutput{kind: "local", dest: dest}, err
	}
	m, err := fields(text)
	if err != nil {
		return buildOutput{}, err
	}
	out := buildOutput{kind: m["type"], dest: m["dest"]}
	out.packing.Kind = layer.Gzip
	if err := out.readAttributes(m); err != nil {
		return out, err
	}
	switch out.kind {
	case "image", "store":
		out.kind = "image"
		return out, nil
	case "registry":
		out.kind, out.push = "image", true
		return out, nil
	case "docker":
		if out.dest == "" { // as docker: into its store
			out.kind = "image"
			return out, nil
		}
	case "oci", "tar":
		if out.dest == "" {
			out.dest = "-"
		}
	case "local":
		if out.dest == "" {
			return out, errors.New("dest is missing")
		}
	case "":
		return out, errors.New("type is missing")
	default:
		return out, fmt.Errorf("the type %s is not known; it is image, registry, oci, docker, tar or local", out.kind)
	}
	if out.dest != "-" {
		out.dest, err = filepath.Abs(out.dest)
	}
	return out, err
}

// readAttributes reads what buildkit's exporters of images take. What would change the
// image and is not done here is refused.
func (out *buildOutput) readAttributes(m map[string]string) (err error) {
	stored := true
	for key, value := range m {
		switch key {
		case "type", "dest", "tar", "unpack", "oci-mediatypes", "name-canonical", "dangling-name-prefix", "rewrite-timestamp":
			// Done, or of no meaning here: an image is OCI's, and unpacked.
		case "name":
			if out.names, err = outputNames(value); err != nil {
				return err
			}
		case "push":
			err = readTruth(value, &out.push)
		case "push-by-digest":
			err = readTruth(value, &out.byDigest)
		case "registry.insecure":
			err = readTruth(value, &out.insecure)
		case "store":
			err = readTruth(value, &stored)
		case "compression":
			out.packing.Kind, err = compressionOf(value)
			out.packs = true
		case "compression-level":
			out.packing.Level, err = strconv.Atoi(value)
			out.packs = true
		case "force-compression":
			err = readTruth(value, &out.packing.All)
		default:
			if !strings.HasPrefix(key, "annotation") {
				err = errors.New("it is not known")
				break
			}
			if out.annotations == nil {
				out.annotations = map[string]string{}
			}
			out.annotations[key] = value
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	out.unnamed = !stored
	return nil
}

func compressionOf(word string) (layer.Kind, error) {
	switch word {
	case "gzip":
		return layer.Gzip, nil
	case "zstd":
		return layer.Zstd, nil
	case "uncompressed":
		return layer.None, nil
	}
	return 0, fmt.Errorf("%q is not gzip, zstd or uncompressed", word)
}

// readPacking takes the compression of the outputs, which are one image.
func (f *buildRequest) readPacking() error {
	for i := range f.outputs {
		out := &f.outputs[i]
		if !out.packs {
			continue
		}
		if p := f.options.Packing; p != nil && *p != out.packing {
			return errors.New("--output: the outputs are one image, and two compressions are named for it")
		}
		f.options.Packing = &out.packing
	}
	return nil
}

// readTruth reads a value as docker does; a key alone means yes.
func readTruth(value string, to *bool) error {
	if value == "" {
		*to = true
		return nil
	}
	yes, err := strconv.ParseBool(value)
	if err != nil {
		return fmt.Errorf("%q is not true or false", value)
	}
	*to = yes
	return nil
}

func outputNames(text string) ([]image.Reference, error) {
	var names []image.Reference
	for _, word := range commas([]string{text}) {
		ref, err := image.ParseReference(word)
		if err != nil {
			return nil, err
		}
		if ref.Digest() != "" {
			return nil, fmt.Errorf("%s: a name has no digest", word)
		}
		names = append(names, ref)
	}
	return names, nil
}

func (b *berth) writeOutput(c *cli.Context, f *buildRequest, o build.Options, r build.Result, to buildOutput) (err error) {
	switch to.kind {
	case "image":
		return b.pushBuilt(f, o, r, to)
	case "oci", "docker":
		err = b.toFile(c, to.dest, func(w io.Writer) error {
			return archive.Save(b.ctx, w, o.Store, items(to, r), archive.SaveOptions{Docker: to.kind == "docker"})
		})
	case "tar":
		err = b.toFile(c, to.dest, func(w io.Writer) error { return build.ExportTar(b.ctx, o, r, w) })
	default:
		err = build.ExportLocal(b.ctx, o, r, to.dest)
	}
	if err != nil {
		return fmt.Errorf("output %s: %w", to.kind, err)
	}
	return nil
}

// items are the names of the image in an archive.
func items(to buildOutput, r build.Result) []archive.Item {
	if len(to.names) == 0 {
		return []archive.Item{{Descriptor: r.Descriptor}}
	}
	var list []archive.Item
	for _, n := range to.names {
		list = append(list, archive.Item{Name: n, Descriptor: r.Descriptor})
	}
	return list
}

// toFile writes a file as a whole, or stdout unless that is a terminal.
func (b *berth) toFile(c *cli.Context, dest string, write func(io.Writer) error) error {
	if dest != "-" {
		return archive.Replace(dest, write)
	}
	w := out(c)
	if st, err := w.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 && st.Mode()&os.ModeDevice != 0 && isTerminal(w) {
		return errors.New("stdout is a terminal: name a file with dest=FILE")
	}
	return write(w)
}
