package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"berth/image"
	"berth/image/build"
	"berth/image/build/display"
	"berth/image/build/plan"
	"berth/image/pull"
	"berth/image/store"
	"berth/image/userns"
	"berth/internal/command"
	"berth/internal/idmap"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
)

// build makes an image from a Dockerfile.
func (b *berth) build() *cli.Command {
	return &cli.Command{
		Name:      "build",
		Usage:     "make an image from a Dockerfile",
		ArgsUsage: "CONTEXT | - | GIT-URL | ARCHIVE",
		Description: `CONTEXT is the directory that COPY and ADD take files from; - reads an archive
of it, or a Dockerfile alone, from stdin. Flags mean what they mean for docker build.
RUN steps are in the host's network unless --network none cuts them off: berth has no
networks of its own. Without --tag the image is known by its id until 'berth prune'.

   berth build -t app .
   berth build -t app -f docker/Dockerfile --target test --build-arg V=1 .
   berth build -o type=oci,dest=app.tar https://example.org/app.git#v1:src`,
		Flags: buildFlags(),
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "CONTEXT")
			if err != nil {
				return err
			}
			f, err := readBuildFlags(c)
			if err != nil {
				return command.Usage(c, err)
			}
			if err := b.enter(true); err != nil {
				return err
			}
			b.runtime.reopen()
			return b.runBuild(c, args[0], f)
		},
	}
}

// runBuild opens what the build needs, builds, and hands the result on.
func (b *berth) runBuild(c *cli.Context, contextArg string, f *buildRequest) error {
	s, done, err := b.useStore()
	if err != nil {
		return err
	}
	defer done()
	tmp, err := os.MkdirTemp(filepath.Join(s.Dir(), "tmp"), "source-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // gc removes what is left
	src, err := build.OpenSource(b.ctx, build.SourceOptions{
		Context: contextArg, Dockerfile: f.file, Stdin: os.Stdin, Tmp: tmp, SSH: f.options.SSH["default"],
	})
	if err != nil {
		return err
	}
	defer src.Close()
	o := f.options
	o.Store, o.Dockerfile, o.Name, o.Context = s, src.Dockerfile, src.Name, src.Context
	o.UserNS, o.OneOwner = idmap.Inside(), userns.Single()
	o.Images = &buildImages{b: b, s: s, f: f}
	runner := &runtimeRunner{b: b}
	defer runner.close()
	o.Runner = runner
	if f.check {
		return b.checkDockerfile(c, o)
	}
	named, stop, err := b.namedContexts(s, f, tmp)
	if err != nil {
		return err
	}
	defer stop()
	o.Contexts = named
	o.Display = display.New(os.Stderr, f.progress)
	o.Warn = o.Display.Warn
	caches, stopCaches := b.openCaches(f, o.Warn)
	defer stopCaches()
	o.CacheFrom = caches
	var r build.Result
	if err = b.lint(o); err == nil {
		r, err = build.Build(b.ctx, o)
	}
	if err == nil && f.kept {
		err = sayNames(s, o, r)
	}
	if err == nil {
		err = b.deliver(c, f, o, r)
	}
	o.Display.Close()
	if err != nil {
		showFault(f, src, err)
	}
	return err
}

// sayNames shows what the image is called by. One without a name gets its digest for
// one, which keeps it until the next prune.
func sayNames(s *store.Store, o build.Options, r build.Result) error {
	for _, name := range o.Tags {
		o.Display.Step("naming it " + name.Familiar()).Done()
	}
	if len(o.Tags) > 0 {
		return nil
	}
	name, err := image.ParseReference(store.Built + "@" + r.Descriptor.Digest.String())
	if err != nil {
		return err
	}
	id := digest.Digest(idOf(o, r))
	o.Display.Step("keeping it without a name, as " + id.Encoded()[:12]).Done()
	return s.Tag(name, r.Descriptor)
}

// showFault shows the lines of the Dockerfile around an error, and the last output of
// a command that has failed.
func showFault(f *buildRequest, src *build.Source, err error) {
	if f.progress == display.JSON {
		return
	}
	var run *build.RunError
	if errors.As(err, &run) && f.progress != display.Plain {
		display.Output(os.Stderr, run.Output)
	}
	var fault *plan.Fault
	if errors.As(err, &fault) && fault.File == src.Name {
		display.Excerpt(os.Stderr, fault.File, src.Dockerfile, fault.First, fault.Last)
	}
}

// buildImages gets base images as `pull` does.
type buildImages struct {
	b *berth
	s *store.Store
	f *buildRequest
}

func (i *buildImages) Image(_ context.Context, ref image.Reference, p image.Platform, always bool) (image.Descriptor, error) {
	policy := "missing"
	if always {
		policy = "always"
	}
	img, err := i.b.unpacked(i.s, ref.String(), wishes{pull: policy, platform: image.FormatPlatform(p), remote: i.f.remote, quiet: true})
	if err != nil {
		return image.Descriptor{}, err
	}
	return img.manifest, nil
}

func (i *buildImages) Unpack(ctx context.Context, manifest image.Descriptor) error {
	_, err := pull.Unpack(ctx, pull.Options{Store: i.s, Apply: apply(), Unpack: true}, manifest)
	return err
}

// deliver writes outputs and files, and says what was made.
func (b *berth) deliver(c *cli.Context, f *buildRequest, o build.Options, r build.Result) error {
	for _, out := range f.outputs {
		if err := b.writeOutput(c, f, o, r, out); err != nil {
			return err
		}
	}
	if err := b.writeCaches(f, o, r); err != nil {
		return err
	}
	id := idOf(o, r)
	if f.iidFile != "" {
		if err := os.WriteFile(f.iidFile, []byte(id), 0o644); err != nil {
			return err
		}
	}
	if f.metadataFile != "" {
		if err := writeMetadata(f, o, r); err != nil {
			return err
		}
	}
	if f.quiet && id != "" {
		return command.PrintBytes(out(c), []byte(id+"\n"))
	}
	return nil
}

// idOf is the id of what was built: the digest of the configuration, of several
// platforms that of the index. Files alone have none.
func idOf(o build.Options, r build.Result) string {
	switch {
	case o.CacheOnly:
		return ""
	case len(r.Images) == 1:
		return r.Images[0].Config.Digest.String()
	}
	return r.Descriptor.Digest.String()
}

// writeMetadata writes what buildx calls the metadata of a build.
func writeMetadata(f *buildRequest, o build.Options, r build.Result) error {
	m := map[string]any{}
	if !o.CacheOnly {
		m["containerimage.digest"] = r.Descriptor.Digest
		m["containerimage.descriptor"] = r.Descriptor
		if len(r.Images) == 1 {
			m["containerimage.config.digest"] = r.Images[0].Config.Digest
		}
		if names := f.delivered(); len(names) > 0 {
			m["image.name"] = commaNames(names)
		}
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(f.metadataFile, append(raw, '\n'), 0o644)
}

func commaNames(names []image.Reference) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = n.String()
	}
	return strings.Join(words, ",")
}
