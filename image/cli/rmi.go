package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"berth/image"
	"berth/image/store"
	"berth/internal/command"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
)

// keepPartial is how long a broken-off fetch can be resumed although images are
// removed meanwhile.
const keepPartial = 24 * time.Hour

func (b *berth) rmi() *cli.Command {
	return &cli.Command{
		Name:      "rmi",
		Usage:     "remove images from the store",
		ArgsUsage: "IMAGE...",
		Description: "A name is taken away; when it was the last one of the image, its content goes, but\n" +
			"for what other images share with it. An id removes all names of its image.\n" +
			"An image that a container uses is kept, unless --force takes away the name;\n" +
			"its content stays as long as the container.\n\n" +
			"   berth rmi busybox\n" +
			"   berth rmi 3f2a91c0d4e5",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, DisableDefaultText: true, Usage: "also names of images that containers use, and none that is missing is an error"},
			&cli.BoolFlag{Name: "no-prune", DisableDefaultText: true, Usage: "leave the content for 'berth prune'"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "do not say what was removed"},
		},
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				_, err := command.Arguments(c, "IMAGE")
				return err
			}
			if err := b.enter(false); err != nil {
				return err
			}
			s, err := b.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			say := func(text string) error {
				if c.Bool("quiet") {
					return nil
				}
				return command.PrintBytes(out(c), []byte(text+"\n"))
			}
			err = several(c.Args().Slice(), func(word string) error { return untag(s, word, c.Bool("force"), say) })
			if c.Bool("no-prune") {
				return err
			}
			return errors.Join(err, b.clean(s, say))
		},
	}
}

// untag takes away what a word means: a name, or all names of an image.
func untag(s *store.Store, word string, force bool, say func(string) error) error {
	ref, err := s.Find(word)
	if errors.Is(err, store.ErrNotFound) && force {
		return nil
	}
	if err != nil {
		return err
	}
	refs, err := s.Refs()
	if err != nil {
		return err
	}
	// A word that is a name means this name; an id means the image.
	name, err := image.ParseReference(word)
	byName := err == nil && name.String() == ref.Name
	var names []image.Reference
	for _, r := range refs {
		if byName && r.Name != ref.Name || !byName && !holds(s, r, ref.Descriptor.Digest) {
			continue
		}
		name, err := r.Reference()
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	if !force && (!byName || !stillNamed(refs, ref)) {
		if err := unused(s, word, ref.Descriptor); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := s.Untag(name); err != nil {
			return err
		}
		if err := say("untagged " + name.Familiar()); err != nil {
			return err
		}
	}
	return nil
}

// holds tells whether a name stands for an image, or for an index with it.
func holds(s *store.Store, r store.Ref, want digest.Digest) bool {
	if r.Descriptor.Digest == want {
		return true
	}
	for _, img := range s.Images(r.Descriptor) {
		if img.Descriptor.Digest == want {
			return true
		}
	}
	return false
}

// stillNamed tells whether another name keeps the image.
func stillNamed(refs []store.Ref, gone store.Ref) bool {
	for _, r := range refs {
		if r.Name != gone.Name && r.Descriptor.Digest == gone.Descriptor.Digest {
			return true
		}
	}
	return false
}

// unused refuses to remove an image that a container was made from.
func unused(s *store.Store, word string, d image.Descriptor) error {
	containers, _, err := s.Containers()
	if err != nil {
		return err
	}
	for _, c := range containers {
		if c.Image.Digest == d.Digest || holds(s, store.Ref{Descriptor: d}, c.Image.Digest) {
			return &inUseError{image: word, container: runtimeID(c)}
		}
	}
	return nil
}

// runtimeID is what the runtime calls a container: containerName appends something.
func runtimeID(c store.Container) string {
	if i := strings.LastIndexByte(c.ID, '-'); i > 0 {
		return c.ID[:i]
	}
	return c.ID
}

type inUseError struct{ image, container string }

func (e *inUseError) Error() string {
	return fmt.Sprintf("image %s: container %s uses it", e.image, e.container)
}

// Hint says how it can be done all the same.
func (e *inUseError) Hint() string {
	return "delete the container first, or take away the name with --force"
}

// clean removes what nothing needs any more. When others use the store that is left
// to a later one.
func (b *berth) clean(s *store.Store, say func(string) error) error {
	report, err := s.GC(b.ctx, store.GCOptions{NoWait: true, KeepPartial: keepPartial, KeepBuilt: true})
	if errors.Is(err, store.ErrBusy) {
		b.log.Debug("rmi: the content is left for 'berth prune': " + err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range report.Blobs {
		if err := say("deleted " + d.String()); err != nil {
			return err
		}
	}
	return nil
}
