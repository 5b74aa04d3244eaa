package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"berth/image/archive"
	"berth/image/build"

	"github.com/urfave/cli/v2"
)

// buildOutput is one --output.
type buildOutput struct {
	kind string // image, oci, docker, tar, local
	dest string // "-" is stdout
}

func (f *buildRequest) readOutputs(c *cli.Context) error {
	files := 0
	for _, text := range c.StringSlice("output") {
		out, err := readOutput(text)
		if err != nil {
			return fmt.Errorf("--output %s: %w", text, err)
		}
		if out.kind != "image" {
			f.outputs = append(f.outputs, out)
			files++
		}
	}
	if files == 0 {
		return nil
	}
	// As with docker: what is written elsewhere gets no name in the store.
	if files == len(c.StringSlice("output")) {
		f.options.Tags = nil
	}
	f.options.CacheOnly = files == len(c.StringSlice("output"))
	for _, out := range f.outputs {
		if out.kind == "oci" || out.kind == "docker" {
			f.options.CacheOnly = false
		}
	}
	return nil
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
	switch out.kind {
	case "image", "store":
		out.kind = "image"
		return out, nil
	case "oci", "docker", "tar":
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
		return out, fmt.Errorf("the type %s is not known; it is image, oci, docker, tar or local", out.kind)
	}
	if out.dest != "-" {
		out.dest, err = filepath.Abs(out.dest)
	}
	return out, err
}

func (b *berth) writeOutput(c *cli.Context, f *buildRequest, o build.Options, r build.Result, to buildOutput) error {
	switch to.kind {
	case "oci", "docker":
		return b.toFile(c, to.dest, func(w io.Writer) error {
			return archive.Save(b.ctx, w, o.Store, items(f, r), archive.SaveOptions{Docker: to.kind == "docker"})
		})
	case "tar":
		return b.toFile(c, to.dest, func(w io.Writer) error { return build.ExportTar(b.ctx, o, r, w) })
	}
	return build.ExportLocal(b.ctx, o, r, to.dest)
}

// items are the names of the image in an archive.
func items(f *buildRequest, r build.Result) []archive.Item {
	if len(f.names) == 0 {
		return []archive.Item{{Descriptor: r.Descriptor}}
	}
	var list []archive.Item
	for _, n := range f.names {
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
