package bundle

import (
	"fmt"
	"path"
	"strings"

	"berth/image"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is the image's, then the user's. An entry of the image without "=" is
// no variable: engines that take it for a wish to have the host's of that name hand
// out secrets (CVE-2026-57231).
func environment(img *image.Config, o *Options) ([]string, error) {
	env := variables{at: map[string]int{}}
	for _, e := range img.Config.Env {
		if !env.set(e) {
			o.note("the image's variable %q is not KEY=VALUE: left out", e)
		}
	}
	if o.Tty {
		env.preset("TERM", "xterm")
	}
	env.preset("PATH", defaultPath)
	for _, e := range o.Env {
		if !env.set(e) {
			return nil, fmt.Errorf("%q is not KEY=VALUE", e)
		}
	}
	return env.list, nil
}

// variables are KEY=VALUE, each key once. An image may have a million of them.
type variables struct {
	list []string
	at   map[string]int
}

// set replaces the variable of the same name, or appends; false for what is none.
func (v *variables) set(entry string) bool {
	name, _, ok := strings.Cut(entry, "=")
	if !ok || name == "" || hasNUL(entry) {
		return false
	}
	if i, has := v.at[name]; has {
		v.list[i] = entry
		return true
	}
	v.at[name] = len(v.list)
	v.list = append(v.list, entry)
	return true
}

// preset sets a variable unless there is one of the name.
func (v *variables) preset(name, value string) {
	if _, has := v.at[name]; !has {
		v.set(name + "=" + value)
	}
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
