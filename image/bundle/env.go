package bundle

import (
	"fmt"
	"path"
	"strings"

	"berth/image"
)

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is the image's, then the user's. An entry of the image without "=" is
// no variable: engines that take it for a wish to have the host's of that name hand
// out secrets (CVE-2026-57231).
func environment(img *image.Config, o *Options) ([]string, error) {
	var env []string
	for _, e := range img.Config.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" || hasNUL(e) {
			o.note("the image's variable %q is not KEY=VALUE: left out", e)
			continue
		}
		env = set(env, e)
	}
	if o.Tty {
		env = preset(env, "TERM=xterm")
	}
	env = preset(env, defaultPath)
	for _, e := range o.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" || hasNUL(e) {
			return nil, fmt.Errorf("%q is not KEY=VALUE", e)
		}
		env = set(env, e)
	}
	return env, nil
}

// set replaces the variable of the same name, or appends.
func set(env []string, entry string) []string {
	if i := find(env, entry); i >= 0 {
		env[i] = entry
		return env
	}
	return append(env, entry)
}

// preset appends unless there is a variable of the name.
func preset(env []string, entry string) []string {
	if find(env, entry) >= 0 {
		return env
	}
	return append(env, entry)
}

func find(env []string, entry string) int {
	name, _, _ := strings.Cut(entry, "=")
	for i, e := range env {
		if have, _, _ := strings.Cut(e, "="); have == name {
			return i
		}
	}
	return -1
}

// workingDir is made below the container's root by the runtime where it is missing;
// a link on the way leads nowhere else (CVE-2026-55686).
func workingDir(img *image.Config, o *Options) (string, error) {
	dir := img.Config.WorkingDir
	if o.Cwd != "" {
		dir = o.Cwd
	}
	if hasNUL(dir) {
		return "", fmt.Errorf("working directory %q: it has a NUL byte", dir)
	}
	return path.Clean("/" + dir), nil
}

func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }
