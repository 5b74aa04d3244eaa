package cli

import (
	"errors"
	"fmt"
	"strings"

	"berth/image"
	"berth/image/progress"
	"berth/image/registry"

	"github.com/urfave/cli/v2"
)

// registryFlags are the flags of the verbs that talk to registries.
func registryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "plain-http", DisableDefaultText: true, Usage: "talk to the registry without TLS"},
		&cli.BoolFlag{Name: "tls-verify", Value: true, DisableDefaultText: true, Usage: "=false accepts any certificate, and http where there is no TLS"},
		&cli.StringFlag{Name: "cert-dir", Usage: "`DIR` with one directory per registry, for *.crt, *.cert and *.key"},
		&cli.StringFlag{Name: "authfile", Usage: "`FILE` of credentials, in place of docker's and podman's"},
	}
}

// credsFlag is for verbs that can take a password by themselves.
func credsFlag() cli.Flag {
	return &cli.StringFlag{Name: "creds", Usage: "`USER:PASSWORD` for this call alone; others on this machine can see it"}
}

// remote is how registries are talked to in this invocation.
type remote struct {
	plainHTTP, insecure bool
	certDir, authFile   string
	creds               string
	// chunk is the size of the parts of uploads; 0: in one piece.
	chunk int64
	// notice is told of retries; nil: the debug log is.
	notice func(string)
}

func remoteOf(c *cli.Context) remote {
	return remote{
		plainHTTP: c.Bool("plain-http"), insecure: !c.Bool("tls-verify"),
		certDir: c.String("cert-dir"), authFile: c.String("authfile"), creds: c.String("creds"),
	}
}

// registry makes a client of the settings files, the user's credentials and the
// flags. The caller closes it.
func (b *berth) registry(r remote) (*registry.Client, *registry.Settings, error) {
	settings, err := registry.LoadSettings(registry.DefaultSettingsFiles())
	if err != nil {
		return nil, nil, err
	}
	o := registry.Options{
		Settings: settings, PlainHTTP: r.plainHTTP, Insecure: r.insecure,
		Keychain: registry.DefaultKeychain(r.authFile), CertDirs: registry.DefaultCertDirs(),
		UserAgent: "berth/" + version, Notice: r.notice, ChunkSize: r.chunk,
	}
	if r.certDir != "" {
		o.CertDirs = append([]string{r.certDir}, o.CertDirs...)
	}
	if o.Notice == nil {
		o.Notice = b.log.Debug
	}
	if r.creds != "" {
		user, password, ok := strings.Cut(r.creds, ":")
		if !ok || user == "" {
			return nil, nil, errors.New("--creds: it is written USER:PASSWORD")
		}
		o.Keychain = registry.Given(user, password)
	}
	return registry.New(o), settings, nil
}

// repository parses a name whose tag does not matter.
func repository(settings *registry.Settings, word string) (image.Reference, error) {
	return image.ParseReference(settings.Expand(word))
}

// progressFlags choose how a transfer is shown.
func progressFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "progress", Usage: "show progress on stderr as `MODE`: auto, bars, plain, json or quiet", DefaultText: "auto"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "print digests only"},
		&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "text", DefaultText: "text", Usage: "`FORMAT` of the output: text, or json with progress as JSON lines on stderr"},
	}
}

// shown is how a transfer is shown.
type shown struct {
	mode        progress.Mode
	quiet, json bool
}

func shownOf(c *cli.Context) (shown, error) {
	s := shown{quiet: c.Bool("quiet")}
	switch f := c.String("format"); f {
	case "text":
	case "json":
		s.json = true
	default:
		return s, fmt.Errorf("--format %q: not text or json", f)
	}
	mode, err := progress.ParseMode(c.String("progress"))
	if err != nil {
		return s, fmt.Errorf("--%w", err)
	}
	s.mode = mode
	switch {
	case mode != progress.Auto:
	case s.quiet:
		s.mode = progress.Quiet
	case s.json:
		s.mode = progress.JSON
	}
	return s, nil
}
