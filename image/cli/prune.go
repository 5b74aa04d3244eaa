package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"berth/image/store"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) prune() *cli.Command {
	return &cli.Command{
		Name:  "prune",
		Usage: "remove what nothing in the store needs any more",
		Description: "Content and layers of images without a name, broken-off fetches, and what containers\n" +
			"that are gone have left behind. With --all also images that no container uses,\n" +
			"with --cache what the builder keeps, cache mounts too. It waits until nobody else uses the store.\n\n" +
			"   berth prune\n" +
			"   berth prune --all --cache\n" +
			"   berth prune --dry-run",
		Flags: []cli.Flag{
			command.FormatFlag(),
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, DisableDefaultText: true, Usage: "remove all images that no container uses"},
			&cli.BoolFlag{Name: "cache", DisableDefaultText: true, Usage: "remove the build cache"},
			&cli.DurationFlag{Name: "cache-age", Usage: "of the build cache only what was not of use for this `TIME`, as in 48h", DefaultText: "all"},
			&cli.BoolFlag{Name: "dry-run", DisableDefaultText: true, Usage: "say what would be removed"},
			&cli.BoolFlag{Name: "force", Hidden: true}, // docker's; nothing is asked here
		},
		Action: func(c *cli.Context) error {
			if _, err := command.Arguments(c); err != nil {
				return err
			}
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			if err := b.enter(false); err != nil {
				return err
			}
			b.mayWait = true
			s, err := b.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			gone, err := b.goneContainers(s)
			if err != nil {
				return err
			}
			dry := c.Bool("dry-run")
			for _, id := range gone {
				if dry {
					break
				}
				if err := s.RemoveContainer(id); err != nil {
					return err
				}
			}
			report, err := s.GC(b.ctx, store.GCOptions{
				All: c.Bool("all"), Cache: c.Bool("cache") || c.IsSet("cache-age"), CacheAge: c.Duration("cache-age"), DryRun: dry,
			})
			if err != nil {
				return err
			}
			p := pruned{GCReport: report, Containers: gone, Freed: report.Bytes(), DryRun: dry}
			if c.Bool("all") {
				records, err := s.Records()
				if err != nil {
					return err
				}
				p.cached = len(records)
			}
			return printPruned(c, format, p)
		},
	}
}

// pruned is the report as JSON.
type pruned struct {
	store.GCReport
	Containers []string `json:"containers"`
	Freed      int64    `json:"freed"`
	DryRun     bool     `json:"dryRun"`
	// cached is what --all leaves to --cache.
	cached int
}

func printPruned(c *cli.Context, format string, p pruned) error {
	if format == "json" {
		return command.PrintJSON(out(c), p, "")
	}
	var text strings.Builder
	for _, name := range p.Names {
		fmt.Fprintf(&text, "untagged %s\n", name)
	}
	for _, id := range p.Containers {
		fmt.Fprintf(&text, "removed what container %s left\n", id)
	}
	var parts []string
	for _, n := range []struct {
		n    int
		what string
	}{{len(p.Blobs), "blob"}, {len(p.Layers), "layer"}, {p.Records, "cache record"}, {p.Mounts, "cache mount"}, {p.Partial, "partial fetch"}} {
		if n.n > 0 {
			parts = append(parts, strings.ReplaceAll(plural(n.n, n.what), "fetchs", "fetches"))
		}
	}
	verb := "removed"
	if p.DryRun {
		verb = "would remove"
	}
	if len(parts) == 0 {
		text.WriteString("nothing to remove\n")
	} else {
		fmt.Fprintf(&text, "%s %s: %s\n", verb, strings.Join(parts, ", "), size(p.Freed))
	}
	if p.cached > 0 && !p.DryRun {
		fmt.Fprintf(&text, "the build cache stays, %s: --cache removes it\n", plural(p.cached, "record"))
	}
	return command.PrintBytes(out(c), []byte(text.String()))
}

// youngest is the age below which a container's directory is left alone: its
// container may be in the making.
const youngest = 10 * time.Minute

// goneContainers are directories of containers that the runtime does not know any
// more: it was killed before it could remove them, or the machine has started anew.
func (b *berth) goneContainers(s *store.Store) ([]string, error) {
	all, _, err := s.Containers()
	if err != nil || len(all) == 0 || b.runtime.fd < 0 {
		return nil, err
	}
	known := map[string]map[string]bool{} // root directory of the runtime → bundles
	var gone []string
	for _, c := range all {
		if c.Root == "" || time.Since(c.Created) < youngest {
			continue
		}
		if known[c.Root] == nil {
			if known[c.Root], err = b.bundles(c.Root); err != nil {
				// Whatever the reason is: what is not known to be gone stays.
				b.log.Warn(fmt.Sprintf("prune: containers below %s are left alone: %v", c.Root, err))
				known[c.Root] = map[string]bool{}
			}
		}
		if known[c.Root]["*"] && !known[c.Root][filepath.Clean(c.Dir)] {
			gone = append(gone, c.ID)
		}
	}
	return gone, nil
}

// bundles are the bundles of all containers of the runtime's root directory, and "*".
func (b *berth) bundles(root string) (map[string]bool, error) {
	cmd, err := b.runtime.command()
	if err != nil {
		return nil, err
	}
	cmd.Args = []string{"berth", "--root", root, "list", "--format", "json"}
	var text, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("list containers: %s", strings.TrimSpace(said.String()))
	}
	var list []containerState
	if err := json.Unmarshal(text.Bytes(), &list); err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	bundles := map[string]bool{"*": true}
	for _, c := range list {
		bundles[filepath.Clean(c.Bundle)] = true
	}
	return bundles, nil
}
