package registry

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxSettings bounds a settings file, in bytes.
const maxSettings = 1 << 20

// Settings are the settings of registries: berth's registries.toml, and what it
// shares with containers-registries.conf(5), whose format it extends.
type Settings struct {
	// Registries are in the order of their precedence: of two with the same prefix
	// the first counts.
	Registries []Entry
	// Aliases are short names and what they stand for.
	Aliases map[string]string
}

// Entry is one [[registry]].
type Entry struct {
	// Prefix is what images it is about: host[:port][/path], or *.domain.
	Prefix string `toml:"prefix"`
	// Location is put in the prefix's place; empty: the prefix.
	Location string `toml:"location"`
	// Insecure accepts any certificate, and http where there is no TLS.
	Insecure bool `toml:"insecure"`
	// Blocked refuses the images.
	Blocked bool `toml:"blocked"`
	// MirrorByDigestOnly uses the mirrors for what is asked for by digest only.
	MirrorByDigestOnly bool `toml:"mirror-by-digest-only"`
	// Mirrors are asked before the location, in their order.
	Mirrors []Mirror `toml:"mirror"`

	// PlainHTTP talks http. This key and those below are berth's own.
	PlainHTTP bool `toml:"plain-http"`
	// TokenRealms are hosts of other domains that the registry may send the
	// credentials to: its token servers.
	TokenRealms []string `toml:"token-realms"`
	// CA is a file of certificate authorities that are trusted for the location
	// besides the system's, ClientCert and ClientKey what the client shows there.
	CA         string `toml:"ca"`
	ClientCert string `toml:"client-cert"`
	ClientKey  string `toml:"client-key"`
}

// Mirror is one [[registry.mirror]].
type Mirror struct {
	Location  string `toml:"location"`
	Insecure  bool   `toml:"insecure"`
	PlainHTTP bool   `toml:"plain-http"`
	// PullFrom is all (or empty), digest-only or tag-only.
	PullFrom string `toml:"pull-from-mirror"`
}

type settingsFile struct {
	Registries []Entry           `toml:"registry"`
	Aliases    map[string]string `toml:"aliases"`
}

// SettingsFiles are the files that LoadSettings reads, in the order of their
// precedence. Containers' own are taken as they are: what berth does not know in
// them is none of its business.
type SettingsFiles struct {
	// Own are berth's files: a key they do not know is an error.
	Own []string
	// Containers are files and directories (of *.conf) in the format of
	// containers-registries.conf(5).
	Containers []string
}

// DefaultSettingsFiles is where the files are for the user who runs this process:
// ~/.config/berth/registries.toml, /etc/berth/registries.toml; of containers the
// user's registries.conf or else the system's, with their directories.
func DefaultSettingsFiles() SettingsFiles {
	files := SettingsFiles{}
	user := userConfigDir()
	if user != "" {
		files.Own = append(files.Own, filepath.Join(user, "berth", "registries.toml"))
	}
	files.Own = append(files.Own, "/etc/berth/registries.toml")
	if path := os.Getenv("CONTAINERS_REGISTRIES_CONF"); path != "" {
		files.Containers = []string{path}
		return files
	}
	if user != "" {
		files.Containers = append(files.Containers, filepath.Join(user, "containers", "registries.conf.d"))
	}
	files.Containers = append(files.Containers, "/etc/containers/registries.conf.d")
	main := "/etc/containers/registries.conf"
	if user != "" {
		own := filepath.Join(user, "containers", "registries.conf")
		if _, err := os.Stat(own); err == nil {
			main = own
		}
	}
	files.Containers = append(files.Containers, main)
	return files
}

// userConfigDir is $XDG_CONFIG_HOME or ~/.config; empty without a home.
func userConfigDir() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return dir
}

// LoadSettings reads the files that exist. An error names the file and, for syntax,
// the line.
func LoadSettings(files SettingsFiles) (*Settings, error) {
	s := &Settings{}
	for _, path := range files.Own {
		if err := s.read(path, true); err != nil {
			return nil, err
		}
	}
	for _, path := range files.Containers {
		if err := s.readContainers(path); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// readContainers reads a file, or a directory's *.conf, of which the last one in
// the alphabet has precedence (containers-registries.conf.d(5)).
func (s *Settings) readContainers(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("registry settings: %w", err)
	}
	if !info.IsDir() {
		return s.read(path, false)
	}
	names, err := filepath.Glob(filepath.Join(path, "*.conf"))
	if err != nil {
		return fmt.Errorf("registry settings %s: %w", path, err)
	}
	sort.Sort(sort.Reverse(sort.StringSlice(names)))
	for _, name := range names {
		if err := s.read(name, false); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) read(path string, own bool) error {
	raw, err := readSettings(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("registry settings: %w", err)
	}
	var file settingsFile
	meta, err := toml.Decode(string(raw), &file)
	if err != nil {
		return fmt.Errorf("registry settings %s: %w", path, err)
	}
	if unknown := meta.Undecoded(); own && len(unknown) > 0 {
		return fmt.Errorf("registry settings %s: unknown key %s", path, unknown[0])
	}
	for i := range file.Registries {
		e := &file.Registries[i]
		if err := e.check(); err != nil {
			return fmt.Errorf("registry settings %s: registry %d: %w", path, i+1, err)
		}
		if !own {
			e.PlainHTTP, e.TokenRealms, e.CA, e.ClientCert, e.ClientKey = false, nil, "", "", ""
		}
	}
	s.Registries = append(s.Registries, file.Registries...)
	if own {
		s.alias(file.Aliases)
	}
	return nil
}

// alias takes over short names that no file before has.
func (s *Settings) alias(names map[string]string) {
	for short, long := range names {
		if s.Aliases == nil {
			s.Aliases = map[string]string{}
		}
		if _, ok := s.Aliases[short]; !ok {
			s.Aliases[short] = long
		}
	}
}

// readSettings reads a file of the user, of settings or credentials.
func readSettings(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // nothing was written
	raw, err := io.ReadAll(io.LimitReader(f, maxSettings+1))
	if err == nil && len(raw) > maxSettings {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxSettings)
	}
	return raw, err
}

// check completes an entry and refuses what cannot be meant.
func (e *Entry) check() error {
	if e.Prefix == "" {
		e.Prefix = e.Location
	}
	if e.Prefix == "" {
		return errors.New("it has neither prefix nor location")
	}
	if strings.HasPrefix(e.Prefix, "*.") && e.Location == "" && strings.Contains(e.Prefix, "/") {
		return fmt.Errorf("prefix %q: a wildcard stands for hosts alone", e.Prefix)
	}
	if e.Location == "" && !strings.HasPrefix(e.Prefix, "*.") {
		e.Location = e.Prefix
	}
	if (e.ClientCert == "") != (e.ClientKey == "") {
		return errors.New("client-cert and client-key are given together")
	}
	places := []string{strings.TrimPrefix(e.Prefix, "*."), e.Location}
	for _, m := range e.Mirrors {
		switch m.PullFrom {
		case "", "all", "digest-only", "tag-only":
		default:
			return fmt.Errorf("mirror %s: pull-from-mirror %q is not one of all, digest-only, tag-only", m.Location, m.PullFrom)
		}
		if m.Location == "" {
			return errors.New("a mirror has no location")
		}
		places = append(places, m.Location)
	}
	for _, place := range places {
		if strings.Contains(place, "://") || strings.HasSuffix(place, "/") || strings.ContainsAny(place, " ?#@") {
			return fmt.Errorf("%q is not written as host[:port][/path]", place)
		}
	}
	return nil
}

// find is the entry with the longest prefix of an image's name, nil without one.
func (s *Settings) find(name string) *Entry {
	var best *Entry
	length := 0
	for i := range s.Registries {
		e := &s.Registries[i]
		if n := e.match(name); n > length {
			best, length = e, n
		}
	}
	return best
}

// match is how many bytes of the name the prefix covers, 0 if it is not one.
func (e *Entry) match(name string) int {
	if suffix, ok := strings.CutPrefix(e.Prefix, "*"); ok {
		host, _, _ := strings.Cut(name, "/")
		if len(host) > len(suffix) && strings.HasSuffix(host, suffix) {
			// A wildcard is weaker than the same host written out.
			return len(suffix)
		}
		return 0
	}
	rest, ok := strings.CutPrefix(name, e.Prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return 0
	}
	return len(e.Prefix)
}

// Expand replaces a short name by what it stands for, and keeps its tag or digest.
func (s *Settings) Expand(ref string) string {
	cut := len(ref)
	if i := strings.IndexAny(ref, ":@"); i >= 0 {
		cut = i
	}
	if long, ok := s.Aliases[ref[:cut]]; ok {
		return long + ref[cut:]
	}
	return ref
}
