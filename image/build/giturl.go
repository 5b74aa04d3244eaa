package build

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// GitRef is a git repository at one of its revisions, as ADD and a context name it.
type GitRef struct {
	// Remote is what git is given.
	Remote string
	// Ref is a branch, tag or commit; empty: the remote's HEAD.
	Ref string
	// Subdir is the directory that is meant; empty: all.
	Subdir string
	// Commit, if set, is what Ref has to be.
	Commit string
	// KeepGitDir and Submodules are nil when the URL does not tell.
	KeepGitDir *bool
	Submodules *bool
}

var scpURL = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z0-9_.-]+@[a-zA-Z0-9.-]+:[^:]+$`) })

// ParseGit reads the URL of a git repository: ssh://…, git://…, user@host:path, or
// http(s)://… with .git at the end of its path; behind it #REF[:SUBDIR], or a query
// with ref, tag, branch, subdir, checksum (or commit), keep-git-dir and submodules.
// ok is false for anything else.
func ParseGit(s string) (ref GitRef, ok bool, err error) {
	base, fragment, hasFragment := strings.Cut(s, "#")
	if scpURL().MatchString(base) && !strings.Contains(base, "://") {
		ref.Remote = base
		if err := ref.fragment(fragment, hasFragment); err != nil {
			return ref, true, err
		}
		return ref, true, ref.check()
	}
	u, parseErr := url.Parse(base)
	if parseErr != nil || u.Host == "" {
		return ref, false, nil
	}
	switch u.Scheme {
	case "git", "ssh":
	case "http", "https":
		if !strings.HasSuffix(u.Path, ".git") {
			return ref, false, nil
		}
	default:
		return ref, false, nil
	}
	query := u.Query()
	u.RawQuery = ""
	ref.Remote = u.String()
	if err := ref.fragment(fragment, hasFragment); err != nil {
		return ref, true, err
	}
	if err := ref.query(query); err != nil {
		return ref, true, fmt.Errorf("%s: %w", s, err)
	}
	return ref, true, ref.check()
}

func (g *GitRef) fragment(text string, has bool) error {
	if !has {
		return nil
	}
	var subdir string
	g.Ref, subdir, _ = strings.Cut(text, ":")
	g.Subdir = path.Clean("/" + subdir)[1:]
	return g.check()
}

// check refuses what git would take for an option.
func (g *GitRef) check() error {
	for _, word := range [...]string{g.Remote, g.Ref, g.Commit} {
		if strings.HasPrefix(word, "-") || strings.ContainsAny(word, "\x00\n") {
			return fmt.Errorf("git: %q is not the name of a repository or revision", word)
		}
	}
	return nil
}

func (g *GitRef) query(values url.Values) error {
	for key, list := range values {
		if len(list) != 1 {
			return fmt.Errorf("%s is given more than once", key)
		}
		if err := g.setQuery(key, list[0]); err != nil {
			return err
		}
	}
	return nil
}

func (g *GitRef) setQuery(key, value string) error {
	var ref string
	switch key {
	case "ref":
		ref = value
	case "tag":
		ref = "refs/tags/" + strings.TrimPrefix(value, "refs/tags/")
	case "branch":
		ref = "refs/heads/" + strings.TrimPrefix(value, "refs/heads/")
	case "subdir":
		g.Subdir = path.Clean("/" + value)[1:]
		return nil
	case "checksum", "commit":
		g.Commit = value
		return nil
	case "keep-git-dir", "submodules":
		on := true
		if value != "" {
			var err error
			if on, err = strconv.ParseBool(value); err != nil {
				return fmt.Errorf("%s=%s is not true or false", key, value)
			}
		}
		if key == "submodules" {
			g.Submodules = &on
		} else {
			g.KeepGitDir = &on
		}
		return nil
	case "mtime", "fetch-by-commit":
		return nil
	default:
		return fmt.Errorf("%s is no part of a git URL", key)
	}
	if g.Ref != "" && g.Ref != ref {
		return errors.New("two revisions are named")
	}
	g.Ref = ref
	return nil
}
