package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"berth/internal/command"
	"berth/internal/idmap"
	"berth/internal/imageside"
	"berth/libcontainer"
	"berth/specconv"

	"github.com/urfave/cli/v2"
)

// imageFlags are the wishes about a container that is made from an image; Docker's
// names and letters where it has one.
func imageFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "image", Usage: "make the container from `IMAGE`: a name in a registry, oci:DIR[:TAG], oci-archive:FILE or docker-archive:FILE; then COMMAND may follow, and the flags below are taken"},
		&cli.StringFlag{Name: "pull", Value: "missing", Usage: "fetch the image `WHEN`: always, missing or never", DefaultText: "missing"},
		&cli.StringFlag{Name: "platform", Usage: "take the image for `OS/ARCH[/VARIANT]`"},
		&cli.BoolFlag{Name: "plain-http", DisableDefaultText: true, Usage: "talk to the registry without TLS"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "show no progress"},
		&cli.StringSliceFlag{Name: "env", Aliases: []string{"e"}, Usage: "set a variable: `KEY=VALUE`, or KEY for the caller's (repeatable)"},
		&cli.StringFlag{Name: "user", Aliases: []string{"u"}, Usage: "run as `USER[:GROUP]`, names or numbers"},
		&cli.StringFlag{Name: "cwd", Aliases: []string{"workdir", "w"}, Usage: "begin in the directory `PATH` of the container"},
		&cli.BoolFlag{Name: "tty", Aliases: []string{"t"}, DisableDefaultText: true, Usage: "give the command a terminal (default: run does when it is called on one, without --detach)"},
		interactiveFlag(),
		&cli.StringFlag{Name: "entrypoint", Usage: "run `COMMAND` in the place of the image's entrypoint"},
		&cli.StringFlag{Name: "hostname", Usage: "call the container `NAME` (default: its id)"},
		&cli.StringSliceFlag{Name: "bind", Aliases: []string{"volume", "v"}, Usage: "show a directory or file of the host: `SRC:DST[:ro]` (repeatable)"},
		&cli.BoolFlag{Name: "read-only", DisableDefaultText: true, Usage: "let the container write to its volumes only"},
		&cli.StringFlag{Name: "net", Aliases: []string{"network"}, Usage: "`NETWORK` host (the host's) or none (a loopback)"},
		&cli.StringFlag{Name: "memory", Aliases: []string{"m"}, Usage: "limit memory to `SIZE`: 64m, 1g"},
		&cli.StringFlag{Name: "cpus", Usage: "limit CPU time to `N` CPUs: 0.5, 2"},
		&cli.Int64Flag{Name: "pids-limit", Usage: "limit the number of processes to `N`", DefaultText: "no limit"},
		&cli.StringSliceFlag{Name: "cap-add", Usage: "add the capability `NAME` to Docker's default, or ALL (repeatable)"},
		&cli.StringSliceFlag{Name: "cap-drop", Usage: "take the capability `NAME` away, or ALL (repeatable)"},
		&cli.StringFlag{Name: "seccomp", Usage: "`PROFILE` default (Docker's) or none", DefaultText: "default"},
		&cli.BoolFlag{Name: "new-privileges", DisableDefaultText: true, Usage: "let programs with the setuid bit raise privileges (no_new_privs is off)"},
	}
}

// interactiveFlag is Docker's; berth passes stdin on in any case.
func interactiveFlag() cli.Flag {
	return &cli.BoolFlag{Name: "interactive", Aliases: []string{"i"}, Hidden: true}
}

// fromImage lets the image program prepare what --image asks for, and puts it into
// the options. Without --image it only refuses flags that mean nothing then.
func (b *berth) fromImage(c *cli.Context, o *libcontainer.CreateOptions) error {
	if !c.IsSet("image") {
		return noImageFlags(c)
	}
	for _, other := range []string{"bundle", "config"} {
		if c.IsSet(other) {
			return command.Usage(c, errors.New("--image and --"+other+" exclude each other"))
		}
	}
	if err := specconv.ValidateID(o.ID); err != nil {
		return err
	}
	r, err := imageRequest(c)
	if err != nil {
		return command.Usage(c, err)
	}
	r.ID, r.Root = o.ID, b.rt.Root
	if r.Hostname == "" {
		r.Hostname = o.ID[:min(len(o.ID), longestHostname)]
	}
	p, err := imageside.Prepare(r, programGlobals(c))
	var failed imageside.Failed
	if errors.As(err, &failed) {
		return command.Status(failed) // it has said why
	}
	if err != nil {
		return err
	}
	o.Bundle = p.Bundle
	o.Image = &libcontainer.ImageRoot{Layers: p.Layers, Dir: p.Bundle, UserXattr: p.UserXattr}
	return nil
}

// longestHostname is the kernel's __NEW_UTS_LEN.
const longestHostname = 64

// abandon gives back what fromImage has made, when the container was not.
func (b *berth) abandon(o *libcontainer.CreateOptions, err error) {
	if err == nil || o.Image == nil {
		return
	}
	if e := b.rt.Abandon(o.ID, o.Image); e != nil {
		b.log.Warn(e.Error())
	}
}

func noImageFlags(c *cli.Context) error {
	// Not IsSet, which looks at all flags for each of them.
	given := c.LocalFlagNames()
	for _, f := range imageFlags() {
		if name := f.Names()[0]; slices.Contains(given, name) {
			e := command.Usage(c, errors.New("--"+name+" needs --image; without it config.json says that"))
			e.Cure = hintImage
			return e
		}
	}
	return nil
}

// programGlobals are the global flags that the image program needs.
func programGlobals(c *cli.Context) []string {
	var globals []string
	if dir := command.StoreDir(c); dir != "" {
		globals = append(globals, "--store="+dir)
	}
	for _, name := range []string{"log", "log-format", "log-level"} {
		if c.IsSet(name) {
			globals = append(globals, "--"+name+"="+c.String(name))
		}
	}
	return append(globals, "--debug="+strconv.FormatBool(c.Bool("debug")))
}

func imageRequest(c *cli.Context) (*imageside.Request, error) {
	r := &imageside.Request{
		Image: c.String("image"), Pull: c.String("pull"), Platform: c.String("platform"),
		PlainHTTP: c.Bool("plain-http"), Quiet: c.Bool("quiet"),
		Args: imageCommand(c), Env: callersEnv(c.StringSlice("env")),
		User: c.String("user"), Cwd: c.String("cwd"), Tty: wantsTerminal(c), Hostname: c.String("hostname"),
		ReadOnly: c.Bool("read-only"), NewPrivileges: c.Bool("new-privileges"),
		CapAdd: c.StringSlice("cap-add"), CapDrop: c.StringSlice("cap-drop"),
		Binds: c.StringSlice("bind"), Net: c.String("net"), Pids: c.Int64("pids-limit"),
		UserNS: userNamespace(),
	}
	if c.IsSet("entrypoint") {
		r.Entrypoint = []string{c.String("entrypoint")}
	}
	var limits specconv.TemplateOptions
	if err := templateLimits(c, &limits); err != nil {
		return nil, err
	}
	r.Memory, r.CPUs = limits.Memory, limits.CPUs
	switch profile := c.String("seccomp"); profile {
	case "", "default":
	case "none", "unconfined":
		r.NoSeccomp = true
	default:
		return nil, fmt.Errorf("--seccomp %q: not default or none", profile)
	}
	return r, nil
}

// wantsTerminal is --tty, or what a person expects who calls run on a terminal: the
// first container is a shell to look around in.
func wantsTerminal(c *cli.Context) bool {
	if c.IsSet("tty") || c.Command.Name != "run" || c.Bool("detach") || c.IsSet("console-socket") {
		return c.Bool("tty")
	}
	return isTerminal(os.Stdin) && isTerminal(os.Stdout)
}

// imageCommand is what stands behind the container, and behind a -- there.
func imageCommand(c *cli.Context) []string {
	args := c.Args().Tail()
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	return args
}

// callersEnv gives names without a value those of the caller, as Docker does; those
// it does not have are left out.
func callersEnv(list []string) []string {
	var env []string
	for _, e := range list {
		if slices.Contains([]byte(e), '=') {
			env = append(env, e)
		} else if value, ok := os.LookupEnv(e); ok {
			env = append(env, e+"="+value)
		}
	}
	return env
}

// userNamespace is that of a user's container; nil for root, whose containers have
// none of their own.
func userNamespace() *imageside.UserNS {
	if os.Geteuid() == 0 {
		return nil
	}
	uids, gids := idmap.OfCaller()
	return &imageside.UserNS{UIDs: uids, GIDs: gids}
}
