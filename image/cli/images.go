package cli

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"berth/image"
	"berth/image/store"
	"berth/internal/command"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
)

func (b *berth) images() *cli.Command {
	return &cli.Command{
		Name:      "images",
		Usage:     "list the images of the store",
		ArgsUsage: "[NAME...]",
		Description: "With names, or patterns as of a shell, lists those images alone. The ID is the\n" +
			"digest of the image's configuration; SIZE is what a registry would send, UNPACKED\n" +
			"what it takes on the disk when it is run, a dash before that.\n\n" +
			"   berth images\n" +
			"   berth images 'alpine*'\n" +
			"   berth images --format json",
		Flags: []cli.Flag{
			command.FormatFlag(),
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "print ids only"},
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Hidden: true}, // docker's; steps of builds are no images here
			&cli.BoolFlag{Name: "digests", DisableDefaultText: true, Usage: "show what a registry calls the image by"},
			&cli.BoolFlag{Name: "no-trunc", DisableDefaultText: true, Usage: "show ids in full"},
		},
		Action: func(c *cli.Context) error {
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			s, err := b.readStore()
			if err != nil {
				return err
			}
			defer s.Close()
			rows, err := imageRows(s, c.Args().Slice())
			switch {
			case err != nil:
				return err
			case c.Bool("quiet"):
				return printIDs(c, rows)
			case format == "json":
				return command.PrintJSON(out(c), rows, "")
			}
			return printImages(c, rows)
		},
	}
}

// imageRow is one image of one platform under one name; the fields are those of
// --format json.
type imageRow struct {
	// Name is empty for an image that only its digest names.
	Name string `json:"name"`
	// Digest is what the name stands for, an index or the manifest.
	Digest   digest.Digest `json:"digest"`
	Manifest digest.Digest `json:"manifest"`
	ID       digest.Digest `json:"id"`
	Platform string        `json:"platform"`
	Created  *time.Time    `json:"created"`
	Size     int64         `json:"size"`
	// Unpacked is absent as long as the layers are not.
	Unpacked *int64 `json:"unpacked,omitempty"`
	Layers   int    `json:"layers"`

	repository, tag string
}

func imageRows(s *store.Store, patterns []string) ([]imageRow, error) {
	refs, err := s.Refs()
	if err != nil {
		return nil, err
	}
	rows := []imageRow{}
	for _, ref := range refs {
		repository, tag := split(ref)
		fits, err := matches(patterns, ref.Name, repository, tag)
		if err != nil {
			return nil, err
		}
		if !fits {
			continue
		}
		for _, img := range s.Images(ref.Descriptor) {
			row := describeImage(s, img)
			row.Name, row.Digest, row.repository, row.tag = ref.Name, ref.Descriptor.Digest, repository, tag
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// split is the name as docker shows it in two columns.
func split(ref store.Ref) (repository, tag string) {
	name, err := ref.Reference()
	if err != nil {
		return ref.Name, "<none>"
	}
	if tag = name.Tag(); tag == "" {
		tag = "<none>"
	}
	return name.FamiliarName(), tag
}

// matches tells whether a pattern is the name, with or without tag and registry.
func matches(patterns []string, full, repository, tag string) (bool, error) {
	if len(patterns) == 0 {
		return true, nil
	}
	for _, p := range patterns {
		for _, name := range []string{repository, repository + ":" + tag, full, path.Base(repository)} {
			is, err := path.Match(p, name)
			if err != nil {
				return false, fmt.Errorf("pattern %q: %w", p, err)
			}
			if is {
				return true, nil
			}
		}
	}
	return false, nil
}

func describeImage(s *store.Store, img store.Image) imageRow {
	m := img.Manifest
	row := imageRow{Manifest: img.Descriptor.Digest, ID: m.Config.Digest, Size: m.Config.Size + img.Descriptor.Size, Layers: len(m.Layers)}
	for _, l := range m.Layers {
		row.Size += l.Size
	}
	config, _, err := s.ReadConfig(m.Config)
	if err != nil {
		// An artefact, or damage: there is nothing more to show; verify says which.
		row.Platform = "-"
		return row
	}
	row.Platform = image.FormatPlatform(config.Platform)
	row.Created = config.Created
	var unpacked int64
	for _, chain := range image.ChainIDs(config.RootFS.DiffIDs) {
		meta, ok := s.LayerMeta(chain)
		if !ok {
			return row
		}
		unpacked += meta.Size
	}
	row.Unpacked = &unpacked
	return row
}

func printIDs(c *cli.Context, rows []imageRow) error {
	var ids []string
	for _, r := range rows {
		id := shortID(r.ID)
		if c.Bool("no-trunc") {
			id = r.ID.String()
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	var text bytes.Buffer
	for _, id := range ids {
		text.WriteString(id + "\n")
	}
	return command.PrintBytes(out(c), text.Bytes())
}

func printImages(c *cli.Context, rows []imageRow) error {
	headings := []string{"NAME", "TAG", "ID", "PLATFORM", "CREATED", "SIZE", "UNPACKED"}
	if c.Bool("digests") {
		headings = slices.Insert(headings, 2, "DIGEST")
	}
	var table [][]string
	for _, r := range rows {
		id, unpacked := shortID(r.ID), "-"
		if c.Bool("no-trunc") {
			id = r.ID.String()
		}
		if r.Unpacked != nil {
			unpacked = size(*r.Unpacked)
		}
		row := []string{r.repository, r.tag, id, r.Platform, age(r.Created), size(r.Size), unpacked}
		if c.Bool("digests") {
			row = slices.Insert(row, 2, r.Digest.String())
		}
		table = append(table, row)
	}
	slices.SortStableFunc(table, func(a, b []string) int { return strings.Compare(a[0]+":"+a[1], b[0]+":"+b[1]) })
	return printTable(out(c), headings, table)
}
