package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"berth/internal/command"
	"berth/specconv"

	"github.com/urfave/cli/v2"
)

func (b *berth) spec() *cli.Command {
	return &cli.Command{
		Name:  "spec",
		Usage: "write a config.json to start from",
		Description: "Without options it runs a shell in the read-only root file system 'rootfs'.\n\n" +
			"   berth spec --bundle /bundles/web\n" +
			"   berth spec --rootless            # for a user without privileges\n" +
			"   berth spec --args 'httpd -f -p 8080' --net host --bind /srv/www:/www:ro \\\n" +
			"              --memory 64m --cpus 0.5 --seccomp default",
		Flags: append([]cli.Flag{
			bundleFlag(),
			&cli.BoolFlag{Name: "rootless", DisableDefaultText: true, Usage: "make a container that needs no privileges"},
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "write to `FILE` in the place of config.json; - is stdout"},
		}, templateFlags()...),
		Action: func(c *cli.Context) error {
			if _, err := command.Arguments(c); err != nil {
				return err
			}
			o, err := templateOptions(c)
			if err != nil {
				return command.Usage(c, err)
			}
			spec, err := specconv.Template(o)
			if err != nil {
				return command.Usage(c, err)
			}
			var out bytes.Buffer
			if err := command.PrintJSON(&out, spec, "\t"); err != nil {
				return err
			}
			name := c.String("file")
			if name == "-" {
				return command.PrintBytes(c.App.Writer, out.Bytes())
			}
			if name == "" {
				name = "config.json"
			}
			if !filepath.IsAbs(name) {
				name = filepath.Join(c.String("bundle"), name)
			}
			return writeNew(name, out.Bytes())
		},
	}
}

// writeNew writes a file that must not exist yet, and leaves none that is cut off.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("file %s exists. Remove it first", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
