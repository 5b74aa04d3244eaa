package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"berth/image/layer"
	"berth/image/pull"
	"berth/image/store"
	"berth/internal/command"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
)

func (b *berth) export() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write the root file system of a container or an image to a tar archive",
		ArgsUsage: "CONTAINER|IMAGE",
		Description: "A container goes before an image of the same name. Of a container all that it has\n" +
			"changed is in the archive, but not what is mounted in it. One that runs is\n" +
			"read while it may write: pause it for a state of one moment.\n\n" +
			"   berth export -o web.tar web\n" +
			"   berth export --image busybox | tar -tv",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE` (default: stdout)"},
			&cli.BoolFlag{Name: "image", DisableDefaultText: true, Usage: "the name is an image's"},
			&cli.StringFlag{Name: "platform", Usage: "of the images of an index the one for `OS/ARCH`"},
		},
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "CONTAINER|IMAGE")
			if err != nil {
				return err
			}
			if err := b.enter(true); err != nil {
				return err
			}
			s, done, err := b.useStore()
			if err != nil {
				return err
			}
			defer done()
			root, err := b.treeOf(c, s, args[0])
			if err != nil {
				return err
			}
			defer root.Close()
			return writeTo(c.String("output"), func(w io.Writer) error {
				if _, err := layer.Diff(b.ctx, root.File, w, layer.DiffOptions{}); err != nil {
					return fmt.Errorf("export %s: %w", args[0], err)
				}
				return nil
			})
		},
	}
}

// treeOf opens the root file system that a word means.
func (b *berth) treeOf(c *cli.Context, s *store.Store, word string) (*tree, error) {
	if !c.Bool("image") && b.runtime.fd >= 0 {
		state, err := b.containerState(word)
		if err == nil {
			return containerTree(s, state)
		}
		root, imageErr := b.imageTree(s, word, c.String("platform"))
		if errors.Is(imageErr, store.ErrNotFound) {
			return nil, fmt.Errorf("%s: neither a container nor an image is called so", word)
		}
		return root, imageErr
	}
	return b.imageTree(s, word, c.String("platform"))
}

// containerState is what the runtime's state says.
type containerState struct {
	ID     string `json:"id"`
	Bundle string `json:"bundle"`
	Rootfs string `json:"rootfs"`
}

func (b *berth) containerState(id string) (containerState, error) {
	var st containerState
	cmd, err := b.runtime.command("state", "--", id)
	if err != nil {
		return st, err
	}
	var text, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &said
	if err := cmd.Run(); err != nil {
		return st, fmt.Errorf("state of %s: %s", id, strings.TrimSpace(said.String()))
	}
	if err := json.Unmarshal(text.Bytes(), &st); err != nil {
		return st, fmt.Errorf("state of %s: %w", id, err)
	}
	return st, nil
}

// containerTree is the root file system of a container: of one that was made from an
// image its layers below what it has written, else the directory of its bundle.
func containerTree(s *store.Store, st containerState) (*tree, error) {
	if filepath.Dir(st.Bundle) == filepath.Join(s.Dir(), "containers") {
		made, err := s.Container(filepath.Base(st.Bundle))
		if err != nil {
			return nil, err
		}
		dirs, err := layerPaths(s, made.Layers)
		if err != nil {
			return nil, err
		}
		return merged(append([]string{made.Upper()}, dirs...))
	}
	if st.Rootfs == "" {
		return nil, fmt.Errorf("container %s: the runtime does not tell its root file system", st.ID)
	}
	f, err := os.Open(st.Rootfs)
	if err != nil {
		return nil, err
	}
	return &tree{File: f}, nil
}

// layerPaths are the directories of unpacked layers, topmost first.
func layerPaths(s *store.Store, chain []digest.Digest) ([]string, error) {
	var dirs []string
	for _, id := range slices.Backward(chain) {
		dir, ok := s.Layer(id)
		if !ok {
			return nil, fmt.Errorf("layer %s: it is not in the store any more", id)
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// imageTree is the root file system of an image, which is unpacked if it has to be.
func (b *berth) imageTree(s *store.Store, word, platform string) (*tree, error) {
	_, img, err := pick(s, word, platform)
	if err != nil {
		return nil, err
	}
	chain, err := pull.Unpack(b.ctx, pull.Options{Store: s, Apply: apply()}, img.Descriptor)
	if err != nil {
		return nil, err
	}
	dirs, err := layerPaths(s, chain)
	if err != nil {
		return nil, err
	}
	return merged(dirs)
}
