package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"berth/image/build/sshagent"
)

// git runs the host's git, which is not told what users' configurations say: it sees
// the environment that is given here, and no prompt, hook, template or helper.
type git struct {
	dir string // the working tree
	// ssh may be nil.
	ssh *sshagent.Agent
}

func (g *git) run(ctx context.Context, args ...string) (string, error) {
	binary, err := exec.LookPath("git")
	if err != nil {
		return "", errors.New("git is not installed, and the source is a git repository")
	}
	args = append([]string{
		"-c", "core.hooksPath=/dev/null", "-c", "init.templateDir=", "-c", "core.symlinks=true", "-c", "protocol.ext.allow=never",
		"-c", "protocol.file.allow=never", "-c", "credential.helper=", "-c", "core.fsmonitor=false", "-c", "transfer.fsckObjects=true",
		"-c", "advice.detachedHead=false", "-c", "init.defaultBranch=main", "-c", "safe.directory=*",
	}, args...)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = g.dir
	cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=/bin/false", "SSH_ASKPASS=/bin/false", "LC_ALL=C", "GIT_SSH_COMMAND=ssh -F /dev/null -o BatchMode=yes",
	}
	for _, name := range [...]string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	if g.ssh != nil {
		socket, stop, err := g.ssh.Socket()
		if err != nil {
			return "", fmt.Errorf("ssh: %w", err)
		}
		defer stop()
		cmd.Env = append(cmd.Env, "SSH_AUTH_SOCK="+socket)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		lines := strings.TrimSpace(errs.String())
		if i := strings.LastIndexByte(lines, '\n'); i >= 0 {
			lines = lines[i+1:]
		}
		return "", fmt.Errorf("git %s: %w: %s", verbOf(args), err, lines)
	}
	return strings.TrimSpace(out.String()), nil
}

// verbOf is the subcommand in a list of arguments.
func verbOf(args []string) string {
	for i := 0; i < len(args); i++ {
		if args[i] == "-c" {
			i++
			continue
		}
		return args[i]
	}
	return ""
}

// resolve asks the remote which commit a revision is.
func (g *git) resolve(ctx context.Context, ref GitRef) (string, error) {
	if isCommit(ref.Ref) {
		return ref.Ref, nil
	}
	name := ref.Ref
	if name == "" {
		name = "HEAD"
	}
	out, err := g.run(ctx, "ls-remote", "--", ref.Remote, name, name+"^{}")
	if err != nil {
		return "", err
	}
	commit, full := "", ""
	for _, line := range strings.Split(out, "\n") {
		id, what, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		// A tag goes before a branch, what it points to before the tag.
		if rank(what, name) > rank(full, name) {
			commit, full = id, what
		}
	}
	if commit == "" {
		return "", fmt.Errorf("git: %s has no revision %s", ref.Remote, name)
	}
	return commit, nil
}

func rank(full, name string) int {
	switch full {
	case "":
		return 0
	case name + "^{}", "refs/tags/" + name + "^{}":
		return 4
	case name:
		return 3
	case "refs/tags/" + name:
		return 3
	case "refs/heads/" + name:
		return 2
	}
	return 1
}

func isCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// checkout fills the working tree with a commit.
func (g *git) checkout(ctx context.Context, ref GitRef, commit string, keepGitDir bool) error {
	if _, err := g.run(ctx, "init", "--quiet", "--template="); err != nil {
		return err
	}
	if _, err := g.run(ctx, "remote", "add", "origin", ref.Remote); err != nil {
		return err
	}
	want := commit
	if _, err := g.run(ctx, "fetch", "--quiet", "--no-tags", "--depth=1", "--no-recurse-submodules", "origin", want); err != nil {
		if ctx.Err() != nil {
			return err
		}
		// Not every server gives single commits or shallow histories.
		if _, err := g.run(ctx, "fetch", "--quiet", "--tags", "--no-recurse-submodules", "origin", "+refs/heads/*:refs/remotes/origin/*"); err != nil {
			return err
		}
	}
	if _, err := g.run(ctx, "checkout", "--quiet", "--force", "--detach", commit); err != nil {
		return err
	}
	if ref.Submodules == nil || *ref.Submodules {
		if _, err := os.Lstat(filepath.Join(g.dir, ".gitmodules")); err == nil {
			if _, err := g.run(ctx, "submodule", "update", "--init", "--recursive", "--depth=1", "--quiet"); err != nil {
				return err
			}
		}
	}
	if keepGitDir {
		return nil
	}
	return removeGitDirs(g.dir)
}

// removeGitDirs removes .git, which is a file in submodules.
func removeGitDirs(dir string) error {
	return filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != ".git" {
			return err
		}
		if err := os.RemoveAll(p); err != nil {
			return err
		}
		if d.IsDir() {
			return filepath.SkipDir
		}
		return nil
	})
}
