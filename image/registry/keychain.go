package registry

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	helper "github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/google/go-containerregistry/pkg/authn"
)

// hubKey is how Docker's files and helpers name its own registry.
const hubKey = authn.DefaultAuthKey

// helperUser is the user name that marks a helper's secret as an identity token.
const helperUser = "<token>"

// resource is a repository whose credentials are looked up; it implements
// authn.Resource.
type resource struct{ host, repo string }

// String is the repository's full name.
func (r resource) String() string {
	if r.repo == "" {
		return r.host
	}
	return r.host + "/" + r.repo
}

// RegistryStr is the registry alone.
func (r resource) RegistryStr() string { return r.host }

// Given is a keychain of one user and password, for every registry that is asked.
func Given(user, password string) authn.Keychain {
	return given{authn.AuthConfig{Username: user, Password: password}}
}

type given struct{ auth authn.AuthConfig }

// Resolve gives them.
func (g given) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(g.auth), nil
}

// Keychain finds and keeps credentials in the files that docker and podman share:
// config.json and auth.json, with the helpers that these name. It implements
// authn.Keychain.
type Keychain struct {
	// Files are looked through in their order. The first one is written to.
	Files []string
	// Inline is a file's content that goes before all files; may be empty.
	Inline string
}

// DefaultKeychain has the user's files. authFile, if not empty, is the only one.
func DefaultKeychain(authFile string) *Keychain {
	if authFile == "" {
		authFile = os.Getenv("REGISTRY_AUTH_FILE")
	}
	if authFile != "" {
		return &Keychain{Files: []string{authFile}}
	}
	k := &Keychain{Inline: os.Getenv("DOCKER_AUTH_CONFIG")}
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		k.Files = append(k.Files, filepath.Join(dir, "config.json"))
	} else if home, err := os.UserHomeDir(); err == nil {
		k.Files = append(k.Files, filepath.Join(home, ".docker", "config.json"))
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		k.Files = append(k.Files, filepath.Join(dir, "containers", "auth.json"))
	}
	if dir := userConfigDir(); dir != "" {
		k.Files = append(k.Files, filepath.Join(dir, "containers", "auth.json"))
	}
	return k
}

// Resolve finds the credentials for a repository: those of its longest path that has
// some, else those of its registry; authn.Anonymous when nobody has any.
func (k *Keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if k.Inline != "" {
		file, err := parseAuthFile([]byte(k.Inline))
		if err != nil {
			return nil, fmt.Errorf("DOCKER_AUTH_CONFIG: %w", err)
		}
		if auth, ok, err := file.find(r); ok || err != nil {
			return authn.FromConfig(auth), err
		}
	}
	for _, path := range k.Files {
		file, err := readAuthFile(path)
		if err != nil {
			return nil, err
		}
		if auth, ok, err := file.find(r); ok || err != nil {
			return authn.FromConfig(auth), err
		}
	}
	return authn.Anonymous, nil
}

// find looks into one file.
func (f *authFile) find(r authn.Resource) (authn.AuthConfig, bool, error) {
	host := r.RegistryStr()
	for path := r.String(); path != host; path = path[:strings.LastIndexByte(path, '/')] {
		if auth, ok := f.auths[path]; ok && filled(auth) {
			return auth, true, nil
		}
	}
	for _, key := range hostKeys(host) {
		program := f.helpers[key]
		if program == "" {
			continue
		}
		if auth, ok, err := askHelper(program, key); ok || err != nil {
			return auth, ok, err
		}
	}
	if f.store != "" {
		key := hostKeys(host)[0]
		if auth, ok, err := askHelper(f.store, key); ok || err != nil {
			return auth, ok, err
		}
	}
	for _, form := range hostForms(host) {
		if auth, ok := f.auths[form]; ok && filled(auth) {
			return auth, true, nil
		}
	}
	return authn.AuthConfig{}, false, nil
}

func filled(a authn.AuthConfig) bool {
	return a.Username != "" || a.Auth != "" || a.IdentityToken != "" || a.RegistryToken != ""
}

// hostKeys are the names a registry goes by; the first is the one to store under.
func hostKeys(host string) []string {
	switch host {
	case dockerHub, "index.docker.io", dockerHubHost:
		return []string{hubKey, dockerHub, "index.docker.io", dockerHubHost}
	}
	return []string{host}
}

// hostForms are all ways in which files have a registry as a key.
func hostForms(host string) []string {
	var forms []string
	for _, key := range hostKeys(host) {
		forms = append(forms, key, "https://"+key, "https://"+key+"/", "http://"+key, "https://"+key+"/v1/", "https://"+key+"/v2/")
	}
	return forms
}

// helper is the program that keeps a registry's credentials, empty when the file does.
func (f *authFile) helper(key string) string { return cmp.Or(f.helpers[key], f.store) }

// askHelper runs docker-credential-PROGRAM. That it knows nothing is no error.
func askHelper(program, key string) (authn.AuthConfig, bool, error) {
	run, err := helperProgram(program)
	if err != nil {
		return authn.AuthConfig{}, false, err
	}
	found, err := helper.Get(run, key)
	if credentials.IsErrCredentialsNotFound(err) {
		return authn.AuthConfig{}, false, nil
	}
	if err != nil {
		return authn.AuthConfig{}, false, fmt.Errorf("credential helper docker-credential-%s: %s", program, clean(err.Error()))
	}
	if found.Username == helperUser {
		return authn.AuthConfig{IdentityToken: found.Secret}, true, nil
	}
	return authn.AuthConfig{Username: found.Username, Password: found.Secret}, found.Username != "", nil
}

// helperProgram refuses names that are paths: helpers are found on PATH.
func helperProgram(name string) (helper.ProgramFunc, error) {
	if strings.ContainsAny(name, "/\x00") {
		return nil, fmt.Errorf("credential helper %q: it is a path", clean(name))
	}
	return helper.NewShellProgramFunc("docker-credential-" + name), nil
}

// Store keeps credentials for a registry, in the first file or with its helper. It
// returns where: the path of the file, or the name of the helper.
func (k *Keychain) Store(host string, auth authn.AuthConfig) (string, error) {
	if len(k.Files) == 0 {
		return "", errors.New("store credentials: there is no home directory; name a file with --authfile")
	}
	path, key := k.Files[0], hostKeys(host)[0]
	file, err := readAuthFile(path)
	if err != nil {
		return "", err
	}
	program := file.helper(key)
	if program == "" {
		return path, file.change(path, map[string]*authn.AuthConfig{key: &auth})
	}
	run, err := helperProgram(program)
	if err != nil {
		return "", err
	}
	c := &credentials.Credentials{ServerURL: key, Username: auth.Username, Secret: auth.Password}
	if auth.IdentityToken != "" {
		c.Username, c.Secret = helperUser, auth.IdentityToken
	}
	if err := helper.Store(run, c); err != nil {
		return "", fmt.Errorf("credential helper docker-credential-%s: %s", program, clean(err.Error()))
	}
	// An empty entry is docker's note that the helper has something.
	return "docker-credential-" + program, file.change(path, map[string]*authn.AuthConfig{key: {}})
}

// Erase forgets the credentials for a registry in all files and their helpers, so
// that none is used from now on. It returns where there were some.
func (k *Keychain) Erase(host string) ([]string, error) {
	var places []string
	for _, path := range k.Files {
		file, err := readAuthFile(path)
		if err != nil {
			return places, err
		}
		gone := map[string]*authn.AuthConfig{}
		for _, form := range hostForms(host) {
			if _, ok := file.auths[form]; ok {
				gone[form] = nil
			}
		}
		key := hostKeys(host)[0]
		if program := file.helper(key); program != "" {
			erased, err := eraseHelper(program, key)
			if err != nil {
				return places, err
			}
			if erased {
				places = append(places, "docker-credential-"+program)
			}
		}
		if len(gone) == 0 {
			continue
		}
		if err := file.change(path, gone); err != nil {
			return places, err
		}
		places = append(places, path)
	}
	return places, nil
}

func eraseHelper(program, key string) (bool, error) {
	run, err := helperProgram(program)
	if err != nil {
		return false, err
	}
	if _, known, err := askHelper(program, key); !known || err != nil {
		return false, err
	}
	if err := helper.Erase(run, key); err != nil {
		return false, fmt.Errorf("credential helper docker-credential-%s: %s", program, clean(err.Error()))
	}
	return true, nil
}

// readAuthFile reads one; a file that is not there is empty.
func readAuthFile(path string) (*authFile, error) {
	raw, err := readSettings(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &authFile{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	file, err := parseAuthFile(raw)
	if err != nil {
		return nil, fmt.Errorf("credentials %s: %w", path, err)
	}
	return file, nil
}
