package cli

import (
	"slices"
	"strings"
	"time"

	"berth/image"
	"berth/image/store"
	"berth/internal/command"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
)

func (b *berth) history() *cli.Command {
	return &cli.Command{
		Name:      "history",
		Usage:     "show how an image was made",
		ArgsUsage: "IMAGE",
		Description: "The newest step comes first. SIZE is the layer's in a registry, 0B for a step that\n" +
			"made none.\n\n" +
			"   berth history busybox\n" +
			"   berth history --no-trunc --format json app",
		Flags: []cli.Flag{
			command.FormatFlag(),
			&cli.BoolFlag{Name: "no-trunc", DisableDefaultText: true, Usage: "show instructions in full"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "print the digests of the layers only"},
			&cli.StringFlag{Name: "platform", Usage: "of the images of an index the one for `OS/ARCH`"},
		},
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "IMAGE")
			if err != nil {
				return err
			}
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			s, err := b.readStore()
			if err != nil {
				return err
			}
			defer s.Close()
			_, img, err := pick(s, args[0], c.String("platform"))
			if err != nil {
				return err
			}
			config, _, err := s.ReadConfig(img.Manifest.Config)
			if err != nil {
				return err
			}
			steps := historyOf(config, img)
			switch {
			case c.Bool("quiet"):
				return printLayers(c, steps)
			case format == "json":
				return command.PrintJSON(out(c), steps, "")
			}
			return printHistory(c, steps)
		},
	}
}

// step is one line of the history.
type step struct {
	Created    *time.Time    `json:"created"`
	CreatedBy  string        `json:"createdBy"`
	Size       int64         `json:"size"`
	Comment    string        `json:"comment,omitempty"`
	EmptyLayer bool          `json:"emptyLayer,omitempty"`
	Layer      digest.Digest `json:"layer,omitempty"`
}

// historyOf joins the history of a configuration with the layers; what one has more
// than the other still gets its line. The newest comes first.
func historyOf(config *image.Config, img store.Image) []step {
	layers := img.Manifest.Layers
	var steps []step
	for _, h := range config.History {
		s := step{Created: h.Created, CreatedBy: h.CreatedBy, Comment: h.Comment, EmptyLayer: h.EmptyLayer}
		if !h.EmptyLayer && len(layers) > 0 {
			s.Layer, s.Size = layers[0].Digest, layers[0].Size
			layers = layers[1:]
		}
		steps = append(steps, s)
	}
	for _, l := range layers {
		steps = append(steps, step{Layer: l.Digest, Size: l.Size})
	}
	slices.Reverse(steps)
	return steps
}

func printLayers(c *cli.Context, steps []step) error {
	var text strings.Builder
	for _, s := range steps {
		if s.Layer != "" {
			text.WriteString(s.Layer.String() + "\n")
		}
	}
	return command.PrintBytes(out(c), []byte(text.String()))
}

func printHistory(c *cli.Context, steps []step) error {
	const widest = 60
	var table [][]string
	for _, s := range steps {
		by := strings.TrimSpace(oneLine(s.CreatedBy))
		// What older builders wrote before an instruction that runs nothing.
		by = strings.TrimPrefix(by, "/bin/sh -c #(nop) ")
		if runes := []rune(by); len(runes) > widest && !c.Bool("no-trunc") {
			by = string(runes[:widest-1]) + "…"
		}
		if by == "" {
			by = "-"
		}
		table = append(table, []string{age(s.Created), strings.TrimSpace(by), size(s.Size), s.Comment})
	}
	return printTable(out(c), []string{"CREATED", "CREATED BY", "SIZE", "COMMENT"}, table)
}
