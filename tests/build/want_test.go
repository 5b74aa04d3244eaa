package build

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// outcome is how a build went.
type outcome struct {
	code   int
	output string
	image  *builtImage // nil when it failed
	base   int         // layers of the base image
}

// check compares an outcome with one line of want.
func (o *outcome) check(line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch verb {
	case "error":
		if o.code != 1 {
			return fmt.Errorf("status %d", o.code)
		}
		return o.says(rest, true)
	case "output":
		return o.says(rest, true)
	case "nooutput":
		return o.says(rest, false)
	}
	if o.image == nil {
		return fmt.Errorf("the build failed with status %d", o.code)
	}
	switch verb {
	case "file", "dir":
		return o.image.hasFile(verb, rest)
	case "link":
		path, target, _ := strings.Cut(rest, " ")
		return o.image.hasLink(path, target)
	case "same":
		one, other, _ := strings.Cut(rest, " ")
		if n := o.image.tree[one]; n == nil || n != o.image.tree[other] {
			return fmt.Errorf("they are not hard links of one file")
		}
		return nil
	case "absent":
		if o.image.tree[rest] != nil {
			return fmt.Errorf("it is there")
		}
		return nil
	case "config":
		field, value, _ := strings.Cut(rest, " ")
		return o.image.hasConfig(field, value)
	case "env", "noenv":
		return o.image.hasEnv(rest, verb == "env")
	case "history", "nohistory":
		found := slices.ContainsFunc(o.image.history, func(s string) bool { return strings.Contains(s, rest) })
		if found != (verb == "history") {
			return fmt.Errorf("the history is %q", o.image.history)
		}
		return nil
	case "layers":
		if have := len(o.image.diffIDs) - o.base; strconv.Itoa(have) != rest {
			return fmt.Errorf("there are %d", have)
		}
		return nil
	}
	return fmt.Errorf("%q is no word of want", verb)
}

func (o *outcome) says(text string, want bool) error {
	if strings.Contains(o.output, text) != want {
		return fmt.Errorf("the output is %q", o.output)
	}
	return nil
}

// hasFile checks "PATH ["CONTENT"] [mode=] [owner=] [mtime=]".
func (img *builtImage) hasFile(kind, rest string) error {
	path, rest, _ := strings.Cut(rest, " ")
	n := img.tree[path]
	if n == nil {
		return fmt.Errorf("it is absent; there are %v", img.names())
	}
	if isDir := n.header.Typeflag == tar.TypeDir; isDir != (kind == "dir") || !isDir && n.header.Typeflag != tar.TypeReg {
		return fmt.Errorf("its type is %q", n.header.Typeflag)
	}
	rest = strings.TrimSpace(rest)
	if strings.HasPrefix(rest, `"`) {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return err
		}
		want, err := strconv.Unquote(quoted)
		if err != nil {
			return err
		}
		if n.content != want {
			return fmt.Errorf("its content is %q", n.content)
		}
		rest = rest[len(quoted):]
	}
	for _, word := range strings.Fields(rest) {
		key, want, _ := strings.Cut(word, "=")
		var have string
		switch key {
		case "mode":
			have = fmt.Sprintf("%04o", n.header.Mode&0o7777)
		case "owner":
			have = fmt.Sprintf("%d:%d", n.header.Uid, n.header.Gid)
		case "mtime":
			have = n.header.ModTime.UTC().Format(time.RFC3339)
		case "xattr":
			name, value, _ := strings.Cut(want, ":")
			have = name + ":" + n.header.PAXRecords["SCHILY.xattr."+name]
			want = name + ":" + value
		default:
			return fmt.Errorf("%q is no property of a file", word)
		}
		if have != want {
			return fmt.Errorf("its %s is %s", key, have)
		}
	}
	return nil
}

func (img *builtImage) hasLink(path, target string) error {
	n := img.tree[path]
	if n == nil || n.header.Typeflag != tar.TypeSymlink {
		return fmt.Errorf("it is no symbolic link: %+v", n)
	}
	if n.header.Linkname != target {
		return fmt.Errorf("it leads to %s", n.header.Linkname)
	}
	return nil
}

// hasConfig compares a field of the run configuration, or with a leading slash of
// the whole one ("/architecture"), with JSON.
func (img *builtImage) hasConfig(field, value string) error {
	have, from := img.settings()[field], img.settings()
	if top, ok := strings.CutPrefix(field, "/"); ok {
		have, from = img.config[top], img.config
	}
	var want any
	if err := json.Unmarshal([]byte(value), &want); err != nil {
		return fmt.Errorf("%q is no JSON: %w", value, err)
	}
	if !reflect.DeepEqual(have, want) {
		return fmt.Errorf("it is %v; the config is %v", have, from)
	}
	return nil
}

// hasEnv checks NAME=VALUE, or the absence of NAME.
func (img *builtImage) hasEnv(setting string, want bool) error {
	list, _ := img.settings()["Env"].([]any) // absent: empty
	name, _, _ := strings.Cut(setting, "=")
	for _, e := range list {
		have, _ := e.(string)
		if key, _, _ := strings.Cut(have, "="); key == name {
			if !want || have != setting {
				return fmt.Errorf("it is %q", have)
			}
			return nil
		}
	}
	if want {
		return fmt.Errorf("Env is %q", list)
	}
	return nil
}

func (img *builtImage) names() []string {
	var list []string
	for name := range img.tree {
		if !strings.HasPrefix(name, "/bin/") {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}
