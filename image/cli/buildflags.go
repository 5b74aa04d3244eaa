package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"berth/image"
	"berth/image/build"
	"berth/image/build/display"
	"berth/image/build/sshagent"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func buildFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringSliceFlag{Name: "tag", Aliases: []string{"t"}, Usage: "call the image `NAME[:TAG]` (repeatable)"},
		&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "read the Dockerfile from `FILE` (- is stdin; default: Dockerfile in the context)"},
		&cli.StringSliceFlag{Name: "build-arg", Usage: "set an ARG: `NAME=VALUE`, or NAME for the caller's variable (repeatable)"},
		&cli.StringFlag{Name: "target", Usage: "build the stage `NAME` (default: the last)"},
		&cli.StringSliceFlag{Name: "platform", Usage: "build for `OS/ARCH[/VARIANT]`; several make an index (repeatable, or with commas)"},
		&cli.StringSliceFlag{Name: "label", Usage: "set a label: `NAME=VALUE` (repeatable)"},
		&cli.StringSliceFlag{Name: "annotation", Usage: "annotate the manifest, or what `[TYPE:]KEY=VALUE` names: manifest, index, manifest-descriptor (repeatable)"},
		&cli.StringSliceFlag{Name: "build-context", Usage: "add the context `NAME=PLACE`: a directory, docker-image://IMAGE, oci-layout://DIR, a git repository or an archive (repeatable)"},
		&cli.StringSliceFlag{Name: "secret", Usage: "give RUN --mount=type=secret `id=ID[,src=FILE|,env=NAME]` (repeatable)"},
		&cli.StringSliceFlag{Name: "ssh", Usage: "give RUN --mount=type=ssh an agent: default, `ID=SOCKET`, or ID=KEY[,KEY] with private keys (repeatable)"},
		&cli.StringSliceFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the result: `type=oci|docker|tar|local,dest=PATH`, type=image|registry[,name=NAME][,push=true], or a directory (default: the store; repeatable)"},
		&cli.BoolFlag{Name: "push", DisableDefaultText: true, Usage: "push the image to the registries of its names"},
		&cli.BoolFlag{Name: "load", DisableDefaultText: true, Usage: "keep the image in the store, beside other outputs; without any it is kept anyway"},
		&cli.StringSliceFlag{Name: "cache-from", Usage: "use the cache of `type=local,src=DIR` or type=registry,ref=NAME, or of an image, by its name (repeatable)"},
		&cli.StringSliceFlag{Name: "cache-to", Usage: "write the cache to `type=local,dest=DIR`, type=registry,ref=NAME or type=inline, the image itself; mode=max of all stages (repeatable)"},
		&cli.BoolFlag{Name: "no-cache", DisableDefaultText: true, Usage: "run every step"},
		&cli.StringSliceFlag{Name: "no-cache-filter", Usage: "run every step of the stage `NAME` (repeatable, or with commas)"},
		&cli.BoolFlag{Name: "pull", DisableDefaultText: true, Usage: "ask the registries for base images that the store has"},
		&cli.BoolFlag{Name: "squash", DisableDefaultText: true, Usage: "make one layer of those that the build adds"},
		&cli.StringFlag{Name: "network", Usage: "`NETWORK` of RUN steps: host, none or default (the host's)"},
		&cli.StringSliceFlag{Name: "add-host", Usage: "add a line to /etc/hosts of RUN steps: `NAME:ADDRESS` (repeatable)"},
		&cli.StringSliceFlag{Name: "allow", Usage: "allow RUN steps `WHAT`: network.host, security.insecure (repeatable)"},
		&cli.StringFlag{Name: "memory", Aliases: []string{"m"}, Usage: "limit the memory of a RUN step to `SIZE`: 512m, 2g"},
		&cli.StringFlag{Name: "cpus", Usage: "limit the CPU time of a RUN step to `N` CPUs"},
		&cli.StringFlag{Name: "shm-size", Usage: "`SIZE` of /dev/shm in RUN steps"},
		&cli.StringSliceFlag{Name: "ulimit", Usage: "limit a resource in RUN steps: `NAME=SOFT[:HARD]` (repeatable)"},
		&cli.StringFlag{Name: "progress", Value: "auto", Usage: "show progress as `MODE`: auto, plain, tty, json or quiet", DefaultText: "auto"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "print the image's id and nothing else"},
		&cli.StringFlag{Name: "iidfile", Usage: "write the image's id to `FILE`"},
		&cli.StringFlag{Name: "metadata-file", Usage: "write digests and names to `FILE`, as JSON"},
		&cli.BoolFlag{Name: "check", DisableDefaultText: true, Usage: "check the Dockerfile by buildkit's rules, and build nothing"},
		&cli.IntFlag{Name: "jobs", Usage: "run at most `N` steps at once", DefaultText: "one per processor"},
	}, append(registryFlags(), ignoredFlags()...)...)
}

// buildRequest is what the flags of build say.
type buildRequest struct {
	options build.Options
	file    string
	// contexts are NAME=PLACE.
	contexts           []string
	outputs            []buildOutput
	cacheFrom, cacheTo []string
	from, to           []cachePlace
	progress           display.Mode
	quiet              bool
	// remote is how registries are talked to, for all that comes and goes.
	remote       remote
	iidFile      string
	metadataFile string
	check        bool
	names        []image.Reference
	// kept: the image stays in the store, with these names or with none.
	kept bool
}

func readBuildFlags(c *cli.Context) (*buildRequest, error) {
	f := &buildRequest{
		file: c.String("file"), contexts: c.StringSlice("build-context"), cacheFrom: c.StringSlice("cache-from"), cacheTo: c.StringSlice("cache-to"),
		quiet: c.Bool("quiet"), remote: remoteOf(c), iidFile: c.String("iidfile"), metadataFile: c.String("metadata-file"), check: c.Bool("check"),
	}
	o := &f.options
	o.Target, o.NoCache, o.Pull, o.Squash, o.Jobs = c.String("target"), c.Bool("no-cache"), c.Bool("pull"), c.Bool("squash"), c.Int("jobs")
	o.NoCacheStages = commas(c.StringSlice("no-cache-filter"))
	for _, read := range []func(*cli.Context) error{f.readNames, f.readArgs, f.readPlatforms, f.readSecrets, f.readSSH, f.readOutputs, f.readAnnotations, f.readIgnored, f.readRun, f.readProgress, f.readEpoch} {
		if err := read(c); err != nil {
			return nil, err
		}
	}
	return f, f.readCaches()
}

// commas parts values that may be lists.
func commas(values []string) []string {
	var list []string
	for _, v := range values {
		for _, one := range strings.Split(v, ",") {
			if one = strings.TrimSpace(one); one != "" {
				list = append(list, one)
			}
		}
	}
	return list
}

func (f *buildRequest) readNames(c *cli.Context) error {
	for _, t := range c.StringSlice("tag") {
		ref, err := image.ParseReference(t)
		if err != nil {
			return fmt.Errorf("--tag: %w", err)
		}
		if ref.Digest() != "" {
			return fmt.Errorf("--tag %s: a name has no digest", t)
		}
		f.names = append(f.names, ref)
	}
	return nil
}

func (f *buildRequest) readArgs(c *cli.Context) error {
	f.options.BuildArgs = map[string]string{}
	for _, arg := range c.StringSlice("build-arg") {
		name, value, ok := strings.Cut(arg, "=")
		if name == "" {
			return fmt.Errorf("--build-arg %q: it has no name", arg)
		}
		if !ok {
			if value, ok = os.LookupEnv(name); !ok {
				continue
			}
		}
		f.options.BuildArgs[name] = value
	}
	f.options.Labels = map[string]string{}
	for _, label := range c.StringSlice("label") {
		name, value, _ := strings.Cut(label, "=")
		if name == "" {
			return fmt.Errorf("--label %q: it has no name", label)
		}
		f.options.Labels[name] = value
	}
	return nil
}

func (f *buildRequest) readPlatforms(c *cli.Context) error {
	for _, p := range commas(c.StringSlice("platform")) {
		platform, err := image.ParsePlatform(p)
		if err != nil {
			return fmt.Errorf("--platform: %w", err)
		}
		f.options.Platforms = append(f.options.Platforms, platform)
	}
	return nil
}

// fields reads key=value lists with commas, as docker's flags have them.
func fields(text string) (map[string]string, error) {
	words, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		m[strings.ToLower(strings.TrimSpace(key))] = value
	}
	return m, nil
}

func (f *buildRequest) readSecrets(c *cli.Context) error {
	f.options.Secrets = map[string]build.Secret{}
	for _, text := range c.StringSlice("secret") {
		m, err := fields(text)
		if err != nil {
			return fmt.Errorf("--secret: %w", err)
		}
		id := m["id"]
		if id == "" {
			return errors.New("--secret: it has no id")
		}
		file := m["src"] + m["source"]
		variable, isEnv := m["env"]
		if !isEnv && file == "" {
			// A variable of the id's name goes before a file of that name, as with docker.
			if _, set := os.LookupEnv(id); set && m["type"] != "file" {
				variable, isEnv = id, true
			} else {
				file = id
			}
		}
		if isEnv {
			value, ok := os.LookupEnv(variable)
			if !ok {
				return fmt.Errorf("--secret id=%s: the variable %s is not set", id, variable)
			}
			f.options.Secrets[id] = build.Secret{Value: []byte(value)}
			continue
		}
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("--secret id=%s: %w", id, err)
		}
		f.options.Secrets[id] = build.Secret{File: file}
	}
	return nil
}

// readSSH reads ID[=SOCKET|KEY[,KEY]]. Keys are read now: the files may be gone when a
// step wants them.
func (f *buildRequest) readSSH(c *cli.Context) error {
	f.options.SSH = map[string]*sshagent.Agent{}
	for _, text := range c.StringSlice("ssh") {
		id, places, _ := strings.Cut(text, "=")
		if id == "" {
			return fmt.Errorf("--ssh %s: it has no id", text)
		}
		paths := commas([]string{places})
		if socket := os.Getenv("SSH_AUTH_SOCK"); len(paths) == 0 && socket != "" {
			paths = []string{socket}
		}
		if len(paths) == 0 {
			return fmt.Errorf("--ssh %s: no agent: SSH_AUTH_SOCK is not set", text)
		}
		agent, err := sshagent.Open(paths...)
		if err != nil {
			return fmt.Errorf("--ssh %s: %w", id, err)
		}
		f.options.SSH[id] = agent
	}
	return nil
}

func (f *buildRequest) readRun(c *cli.Context) error {
	r := &f.options.Run
	switch n := c.String("network"); n {
	case "", "default", "host", "none":
		r.Network = strings.TrimPrefix(n, "default")
	default:
		return fmt.Errorf("--network %s: it is host, none or default", n)
	}
	for _, a := range commas(c.StringSlice("allow")) {
		switch a {
		case "network.host":
			r.HostNetwork = true
		case "security.insecure":
			r.Insecure = true
		default:
			return fmt.Errorf("--allow %s: it is network.host or security.insecure", a)
		}
	}
	for name, to := range map[string]*int64{"memory": &r.Memory, "shm-size": &r.ShmSize} {
		if c.String(name) == "" {
			continue
		}
		n, err := command.Size(c.String(name))
		if err != nil || *n < 0 {
			return fmt.Errorf("--%s %s: %w", name, c.String(name), command.ErrSize)
		}
		*to = *n
	}
	if text := c.String("cpus"); text != "" {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n <= 0 {
			return fmt.Errorf("--cpus %s: not a number of CPUs", text)
		}
		r.CPUs = n
	}
	for _, h := range c.StringSlice("add-host") {
		if !strings.ContainsAny(h, ":=") {
			return fmt.Errorf("--add-host %s: it is NAME:ADDRESS", h)
		}
	}
	r.Hosts = c.StringSlice("add-host")
	return f.readUlimits(c)
}

func (f *buildRequest) readUlimits(c *cli.Context) error {
	for _, text := range c.StringSlice("ulimit") {
		name, value, ok := strings.Cut(text, "=")
		soft, hard, two := strings.Cut(value, ":")
		if !two {
			hard = soft
		}
		a, errA := strconv.ParseInt(soft, 10, 64)
		z, errZ := strconv.ParseInt(hard, 10, 64)
		if !ok || errA != nil || errZ != nil {
			return fmt.Errorf("--ulimit %s: it is NAME=SOFT[:HARD]", text)
		}
		f.options.Run.Ulimits = append(f.options.Run.Ulimits, build.Ulimit{Name: name, Soft: uint64(a), Hard: uint64(z)})
	}
	return nil
}

func (f *buildRequest) readProgress(c *cli.Context) error {
	switch mode := c.String("progress"); mode {
	case "", "auto":
		f.progress = display.Plain
		if onTerminal() {
			f.progress = display.Terminal
		}
	case "plain":
		f.progress = display.Plain
	case "tty":
		f.progress = display.Terminal
	case "json", "rawjson":
		f.progress = display.JSON
	case "quiet", "none":
		f.progress = display.Quiet
	default:
		return fmt.Errorf("--progress %s: it is auto, plain, tty, json or quiet", mode)
	}
	if f.quiet {
		f.progress = display.Quiet
	}
	return nil
}

// readEpoch takes SOURCE_DATE_EPOCH from --build-arg, else from the environment.
func (f *buildRequest) readEpoch(*cli.Context) error {
	text, ok := f.options.BuildArgs["SOURCE_DATE_EPOCH"]
	if !ok {
		if text = os.Getenv("SOURCE_DATE_EPOCH"); text == "" {
			return nil
		}
		f.options.BuildArgs["SOURCE_DATE_EPOCH"] = text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH=%s: not a number of seconds", text)
	}
	t := time.Unix(n, 0).UTC()
	f.options.Epoch = &t
	return nil
}
