package build

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// serve starts a server for a case that asks for one with @url: www/ of the context
// as files, project.git/ as a git repository. Both leave the context. It returns
// the server's address.
func (c *dockerfileCase) serve(t *testing.T, context string) string {
	t.Helper()
	outside := t.TempDir()
	mux := http.NewServeMux()
	if www := filepath.Join(context, "www"); exists(www) {
		must(t, os.Rename(www, filepath.Join(outside, "www")))
		mux.Handle("/", http.FileServer(http.Dir(filepath.Join(outside, "www"))))
	}
	if work := filepath.Join(context, "project.git"); exists(work) {
		repositories := filepath.Join(outside, "git")
		must(t, os.Mkdir(repositories, 0o755))
		must(t, os.Rename(work, filepath.Join(outside, "work")))
		c.commit = commit(t, filepath.Join(outside, "work"), filepath.Join(repositories, "project.git"))
		mux.Handle("/project.git/", gitHandler(t, repositories))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// commit makes a bare repository with one commit of all files of a directory, with
// the tag v1, and returns the commit's name.
func commit(t *testing.T, work, bare string) string {
	t.Helper()
	var name string
	for _, args := range [][]string{
		{"-C", work, "init", "-q", "-b", "main"},
		{"-C", work, "add", "-A"},
		{"-C", work, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "all"},
		{"-C", work, "tag", "v1"},
		{"-C", work, "rev-parse", "HEAD"},
		{"clone", "-q", "--bare", work, bare},
		{"-C", bare, "update-server-info"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
		}
		if slices.Contains(args, "rev-parse") {
			name = strings.TrimSpace(string(out))
		}
	}
	return name
}

// gitHandler serves repositories by git's own program, as web servers do.
func gitHandler(t *testing.T, root string) http.Handler {
	t.Helper()
	path, err := exec.LookPath("git")
	must(t, err)
	return &cgi.Handler{
		Path: path, Args: []string{"http-backend"},
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
}
