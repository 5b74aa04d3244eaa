package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"berth/image"
	"berth/image/archive"
	"berth/image/store"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) save() *cli.Command {
	return &cli.Command{
		Name:      "save",
		Usage:     "write images to an archive or a directory",
		ArgsUsage: "IMAGE...",
		Description: "The format docker is an archive that docker, podman and skopeo load, and an OCI\n" +
			"layout at the same time; oci is an OCI layout as an archive, oci-dir as a\n" +
			"directory, which keeps the images that it has already.\n\n" +
			"   berth save -o busybox.tar busybox\n" +
			"   berth save busybox | ssh host berth load\n" +
			"   berth save --format oci-dir -o layout busybox alpine",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`, or to the directory of an oci-dir (default: stdout)"},
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "docker", Usage: "`FORMAT`: docker, oci or oci-dir", DefaultText: "docker"},
			&cli.StringFlag{Name: "platform", Usage: "save the image for `OS/ARCH` alone"},
		},
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				_, err := command.Arguments(c, "IMAGE")
				return err
			}
			o, err := saveOptions(c)
			if err != nil {
				return err
			}
			s, done, err := b.useStore()
			if err != nil {
				return err
			}
			defer done()
			items, err := itemsOf(s, c.Args().Slice())
			if err != nil {
				return err
			}
			if c.String("format") == "oci-dir" {
				return archive.SaveDir(b.ctx, c.String("output"), s, items, o)
			}
			return writeTo(c.String("output"), func(w io.Writer) error { return archive.Save(b.ctx, w, s, items, o) })
		},
	}
}

func saveOptions(c *cli.Context) (archive.SaveOptions, error) {
	var o archive.SaveOptions
	switch c.String("format") {
	case "docker", "docker-archive":
		o.Docker = true
	case "oci", "oci-archive":
	case "oci-dir":
		if c.String("output") == "" {
			return o, command.Usage(c, errors.New("--format oci-dir needs a directory: --output DIR"))
		}
	default:
		return o, command.Usage(c, fmt.Errorf("--format %q: not docker, oci or oci-dir", c.String("format")))
	}
	if p := c.String("platform"); p != "" {
		platform, err := image.ParsePlatform(p)
		if err != nil {
			return o, err
		}
		o.Platform = &platform
	}
	return o, nil
}

// itemsOf finds the images; those that were meant by a name keep it.
func itemsOf(s *store.Store, words []string) ([]archive.Item, error) {
	var items []archive.Item
	for _, word := range words {
		ref, err := s.Find(word)
		if err != nil {
			return nil, err
		}
		item := archive.Item{Descriptor: ref.Descriptor}
		if name, err := image.ParseReference(word); err == nil && name.String() == ref.Name && name.Tag() != "" {
			item.Name = name
		}
		items = append(items, item)
	}
	return items, nil
}

// writeTo writes to a file, which appears when it is whole, or to stdout, unless that
// is a terminal.
func writeTo(path string, fill func(io.Writer) error) error {
	if path == "" || path == "-" {
		if terminal(os.Stdout) {
			return errors.New("an archive is not written to a terminal: name a file with --output")
		}
		return fill(os.Stdout)
	}
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		// A fifo or device, which cannot be replaced.
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(fill(f), f.Close())
	}
	return archive.Replace(path, fill)
}
