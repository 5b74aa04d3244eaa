package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"golang.org/x/sys/unix"
)

// authFile is docker's config.json or podman's auth.json: what berth reads of it,
// and all the rest, which is kept as it is.
type authFile struct {
	auths   map[string]authn.AuthConfig
	helpers map[string]string
	store   string

	all map[string]json.RawMessage
}

func parseAuthFile(raw []byte) (*authFile, error) {
	f := &authFile{}
	if len(bytes.TrimSpace(raw)) == 0 {
		return f, nil
	}
	var known struct {
		Auths       map[string]authn.AuthConfig `json:"auths"`
		CredHelpers map[string]string           `json:"credHelpers"`
		CredsStore  string                      `json:"credsStore"`
	}
	if err := json.Unmarshal(raw, &known); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &f.all); err != nil {
		return nil, err
	}
	f.auths, f.helpers, f.store = known.Auths, known.CredHelpers, known.CredsStore
	return f, nil
}

// change sets entries, or removes those that are nil, and writes the file anew. The
// file is read again under a lock, because another login may have changed it.
func (f *authFile) change(path string, entries map[string]*authn.AuthConfig) error {
	path, err := target(path)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	lock, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	defer lock.Close() // it frees the lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("credentials: lock %s: %w", dir, err)
	}
	now, err := readAuthFile(path)
	if err != nil {
		return err
	}
	raw, err := now.with(entries)
	if err != nil {
		return fmt.Errorf("credentials %s: %w", path, err)
	}
	if err := replace(lock, path, raw); err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	return nil
}

// target follows the symlink that the file may be, as those who keep their settings in
// a repository have it.
func target(path string) (string, error) {
	to, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return to, err
}

func (f *authFile) with(entries map[string]*authn.AuthConfig) ([]byte, error) {
	auths := map[string]json.RawMessage{}
	if raw, ok := f.all["auths"]; ok {
		if err := json.Unmarshal(raw, &auths); err != nil {
			return nil, err
		}
	}
	if auths == nil {
		auths = map[string]json.RawMessage{}
	}
	for key, auth := range entries {
		if auth == nil {
			delete(auths, key)
			continue
		}
		raw, err := json.Marshal(storedAuth(*auth))
		if err != nil {
			return nil, err
		}
		auths[key] = raw
	}
	raw, err := json.Marshal(auths)
	if err != nil {
		return nil, err
	}
	if f.all == nil {
		f.all = map[string]json.RawMessage{}
	}
	f.all["auths"] = raw
	out, err := json.MarshalIndent(f.all, "", "\t")
	return append(out, '\n'), err
}

// storedAuth is the form of an entry: docker knows user and password as one field.
func storedAuth(a authn.AuthConfig) map[string]string {
	out := map[string]string{}
	if a.Username != "" || a.Password != "" {
		out["auth"] = base64.StdEncoding.EncodeToString([]byte(a.Username + ":" + a.Password))
	}
	if a.IdentityToken != "" {
		out["identitytoken"] = a.IdentityToken
		// Docker takes the user's name from here when it shows it.
		if a.Password == "" && a.Username != "" {
			out["auth"] = base64.StdEncoding.EncodeToString([]byte(a.Username + ":"))
		}
	}
	return out
}

// replace writes a file that only its owner reads, whole or not at all.
func replace(dir *os.File, path string, raw []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".berth-auth-") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // it is gone when all went well
	if _, err := temp.Write(raw); err != nil {
		_ = temp.Close() // the write's error counts
		return err
	}
	if err := temp.Sync(); err != nil {
		_ = temp.Close() // as above
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return dir.Sync()
}
