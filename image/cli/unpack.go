package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"berth/image/bundle"
	"berth/image/pull"
	"berth/image/store"
	"berth/image/userns"
	"berth/internal/cleanup"
	"berth/internal/command"
	"berth/internal/idmap"
	"berth/internal/safepath"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

func (b *berth) unpack() *cli.Command {
	return &cli.Command{
		Name:      "unpack",
		Usage:     "make a bundle of an image, for any runtime",
		ArgsUsage: "IMAGE DIR [-- COMMAND...]",
		Description: "Writes DIR/rootfs, the layers of the image on top of each other, and\n" +
			"DIR/config.json, which runs what the image says with Docker's default\n" +
			"capabilities, masked paths and seccomp profile. An image that is not in the store\n" +
			"is pulled. A user's bundle is for a user namespace.\n\n" +
			"   berth unpack busybox bundle && berth run --bundle bundle c1\n" +
			"   berth unpack oci:layout:v1 bundle -- sh -c 'echo hello'",
		Flags: append(imageSourceFlags(),
			&cli.StringSliceFlag{Name: "env", Aliases: []string{"e"}, Usage: "set a variable: `KEY=VALUE` (repeatable)"},
			&cli.StringFlag{Name: "user", Aliases: []string{"u"}, Usage: "run as `USER[:GROUP]`, names or numbers"},
			&cli.StringFlag{Name: "cwd", Aliases: []string{"workdir", "w"}, Usage: "begin in the directory `PATH` of the container"},
			&cli.BoolFlag{Name: "tty", Aliases: []string{"t"}, DisableDefaultText: true, Usage: "give the command a terminal"},
			&cli.StringFlag{Name: "net", Usage: "`NETWORK` host (the host's) or none (a loopback)"},
			&cli.BoolFlag{Name: "read-only", DisableDefaultText: true, Usage: "let the container write to its volumes only"},
		),
		Action: func(c *cli.Context) error {
			if c.NArg() < 2 {
				_, err := command.Arguments(c, "IMAGE", "DIR")
				return err
			}
			if err := b.enter(false); err != nil {
				return err
			}
			o := bundle.Options{
				Args: commandBehind(c.Args().Slice()[2:]), Env: c.StringSlice("env"), User: c.String("user"), Cwd: c.String("cwd"),
				Tty: c.Bool("tty"), Net: c.String("net"), ReadOnly: c.Bool("read-only"), Note: b.log.Warn,
			}
			return b.unpackTo(c.Args().Get(0), c.Args().Get(1), imageWishes(c), o)
		},
	}
}

// imageSourceFlags are those of verbs that pull what is not there.
func imageSourceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "pull", Value: "missing", Usage: "fetch the image `WHEN`: always, missing or never", DefaultText: "missing"},
		&cli.StringFlag{Name: "platform", Usage: "take the image for `OS/ARCH[/VARIANT]`"},
		&cli.BoolFlag{Name: "plain-http", DisableDefaultText: true, Usage: "talk to the registry without TLS"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "show no progress"},
	}
}

func imageWishes(c *cli.Context) wishes {
	return wishes{pull: c.String("pull"), platform: c.String("platform"), exact: c.IsSet("platform"), remote: remote{plainHTTP: c.Bool("plain-http")}, quiet: c.Bool("quiet"), flat: true}
}

// commandBehind drops the -- in front of a command.
func commandBehind(args []string) []string {
	if len(args) > 0 && args[0] == "--" {
		return args[1:]
	}
	return args
}

// unpackTo makes the bundle; config.json comes last, so that without one it is not
// taken for whole. What is there is not touched.
func (b *berth) unpackTo(word, dir string, w wishes, o bundle.Options) error {
	s, done, err := b.useStore()
	if err != nil {
		return err
	}
	defer done()
	img, err := b.unpacked(s, word, w)
	if err != nil {
		return err
	}
	var undo cleanup.Stack
	defer undo.Run()
	if err := b.makeBundleDir(dir, &undo); err != nil {
		return err
	}
	root, err := os.OpenFile(filepath.Join(dir, "rootfs"), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer root.Close() // a directory
	if err := b.flatten(s, img, root, w.quiet); err != nil {
		return err
	}
	if err := makeVolumes(img, root); err != nil {
		return err
	}
	if idmap.Inside() {
		uids, gids, err := userns.Maps()
		if err != nil {
			return err
		}
		o.UserNS = &bundle.UserNS{UIDs: uids, GIDs: gids}
	}
	o.Files = bundle.Tree{root}
	spec, err := bundle.Spec(img.config, o)
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "config.json"), spec); err != nil {
		return err
	}
	undo.Release()
	return nil
}

// makeBundleDir makes dir, unless it is there and empty, and dir/rootfs. Nobody else
// may enter it: the image's setuid programs and devices are real ones (CVE-2021-41103).
func (b *berth) makeBundleDir(dir string, undo *cleanup.Stack) error {
	remove := func(path string) func() {
		return func() {
			if err := os.RemoveAll(path); err != nil {
				b.log.Warn(err.Error())
			}
		}
	}
	err := os.Mkdir(dir, 0o700)
	switch {
	case errors.Is(err, os.ErrExist):
		names, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return fmt.Errorf("unpack to %s: the directory is not empty", dir)
		}
		if err := mine(dir); err != nil {
			return fmt.Errorf("unpack to %s: %w", dir, err)
		}
	case err != nil:
		return err
	default:
		undo.Add(remove(dir))
	}
	rootfs := filepath.Join(dir, "rootfs")
	if err := os.Mkdir(rootfs, 0o755); err != nil {
		return err
	}
	undo.Add(remove(rootfs))
	return nil
}

// mine refuses the directory of somebody else, who could put a link to the host's root
// in the place of rootfs while the image is unpacked there.
func mine(dir string) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return err
	}
	if me := os.Geteuid(); int(st.Uid) != me {
		return fmt.Errorf("the directory belongs to user %d, not to %d", st.Uid, me)
	}
	return nil
}

func (b *berth) flatten(s *store.Store, img *ready, root *os.File, quiet bool) error {
	m, _, err := s.ReadManifest(img.manifest)
	if err != nil {
		return err
	}
	if m.Image == nil {
		return fmt.Errorf("%s: an index, not the manifest of an image", img.manifest.Digest)
	}
	show := quietProgress(quiet)
	defer show.Close()
	skipped, err := pull.Flat(b.ctx, pull.Options{Store: s, Apply: apply(), Progress: show}, m.Image, img.config, root)
	if err != nil {
		return err
	}
	if !quiet {
		leftOut(skipped)
	}
	return nil
}

// makeVolumes makes the directories of the image's volumes that it does not have:
// below root, whatever links lead elsewhere.
func makeVolumes(img *ready, root *os.File) error {
	list, err := bundle.Volumes(img.config)
	if err != nil {
		return err
	}
	for _, v := range list {
		fd, err := safepath.MkdirAll(int(root.Fd()), v, 0o755)
		if err != nil {
			return fmt.Errorf("the image's volume %q: %w", v, err)
		}
		unix.Close(fd)
	}
	return nil
}
