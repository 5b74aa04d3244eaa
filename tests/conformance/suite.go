package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"syscall"
)

// The pin. Version v0.9.0, which @latest names, has no go.mod; this is the commit
// verdicts.txt was written for. The sum is the one go.sum would hold.
const (
	module  = "github.com/opencontainers/runtime-tools"
	version = "v0.9.1-0.20260316125833-8a4db579f5c8"
	sum     = "h1:2NAWFjN0PmdIe3XojVL9wf3lJ1//VqAgc7MOSYHQslE="
)

// suite is the built validation suite.
type suite struct {
	bin      string   // the directory of its programs
	rootfs   string   // the archive its bundles are made of
	programs []string // the validation programs, sorted
}

// prepare finds the suite in the cache or builds it there, which takes about two
// minutes from nothing. The caller holds the lock of cache.
func prepare(cache string) (*suite, error) {
	source, err := download()
	if err != nil {
		return nil, err
	}
	s := &suite{
		bin:    filepath.Join(cache, version, runtime.GOARCH),
		rootfs: filepath.Join(source, "rootfs-"+runtime.GOARCH+".tar.gz"),
	}
	if _, err := os.Stat(s.rootfs); err != nil {
		return nil, fmt.Errorf("the suite has no root file system for this architecture: %w", err)
	}
	if _, err := os.Stat(s.bin); err != nil {
		if err := build(s.bin); err != nil {
			return nil, err
		}
	}
	folders, err := filepath.Glob(filepath.Join(source, "validation", "*", "*.go"))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{"util": true}
	for _, file := range folders {
		name := filepath.Base(filepath.Dir(file))
		if !seen[name] {
			seen[name] = true
			s.programs = append(s.programs, name)
		}
	}
	sort.Strings(s.programs)
	return s, nil
}

// download fetches the suite's source into the module cache and returns its
// directory there, once its checksum was compared with the pinned one.
func download() (dir string, err error) {
	out, err := command("go", "mod", "download", "-json", module+"@"+version).Output()
	var answer struct{ Dir, Sum, Error string }
	if decodeErr := json.Unmarshal(out, &answer); decodeErr != nil {
		return "", fmt.Errorf("go mod download %s: %w", module, errors.Join(decodeErr, err))
	}
	if answer.Error != "" || err != nil {
		return "", fmt.Errorf("go mod download %s: %w", module, errors.Join(errors.New(answer.Error), err))
	}
	if answer.Sum != sum {
		return "", fmt.Errorf("go mod download %s: checksum %s, want %s", module, answer.Sum, sum)
	}
	return answer.Dir, nil
}

// build installs the suite's programs into bin: all of them or none.
func build(bin string) error {
	if err := os.MkdirAll(filepath.Dir(bin), 0o755); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(bin), "partial")
	if err != nil {
		return err
	}
	defer func() {
		// After the rename below there is nothing to remove.
		_ = os.RemoveAll(partial)
	}()
	// One more directory, as MkdirTemp's is closed to others for good.
	target := filepath.Join(partial, "bin")
	cmd := command("go", "install", "-trimpath", "-ldflags=-s -w",
		module+"/cmd/...@"+version, module+"/validation/...@"+version)
	cmd.Env = append(cmd.Env, "GOBIN="+target)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w\n%s", module, err, bytes.TrimSpace(out))
	}
	return os.Rename(target, bin)
}

// command is a go command that minds no module, workspace or flags of ours.
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	return cmd
}

// lock keeps a second run on this machine away until the returned function is
// called: the suite uses fixed cgroup names.
func lock(cache string) (unlock func(), err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return func() {
		// Closing releases the lock; nothing was written.
		_ = file.Close()
	}, nil
}
