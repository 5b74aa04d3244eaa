package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"syscall"
	"time"

	"berth/image/build"

	"golang.org/x/sys/unix"
)

// runtimeRunner runs the bundles of RUN steps by berth's own runtime.
type runtimeRunner struct{ b *berth }

// Run runs a bundle. A program that cannot be executed has the exit status that a shell
// gives it. When ctx ends the container is deleted; the runtime that waits
// for it ends then, too.
func (r *runtimeRunner) Run(ctx context.Context, bundle string, streams build.IO) (int, error) {
	id := containerOf(bundle)
	log := filepath.Join(bundle, "log")
	cmd, err := r.b.runtime.command("--log", log, "--log-format", "json", "--posix-exit", "run", "--bundle", bundle, id)
	if err != nil {
		return 0, err
	}
	cmd.Stdout, cmd.Stderr = streams.Stdout, streams.Stderr
	// Not in the terminal's foreground group: ^C is for this process, which deletes the
	// container. If this process is killed, the runtime ends the container by SIGTERM's
	// way; the signal is that of the forking thread's death.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	over := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-ctx.Done():
			r.delete(id, over)
		case <-over:
		}
	}()
	err = cmd.Wait()
	close(over)
	<-stopped
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		tellWarnings(streams.Stderr, log)
		return exit.ExitCode(), nil
	}
	return 0, err
}

// tellWarnings adds what the runtime noticed to the output of a step that failed: that
// it ran out of memory, for one. Its errors are there already.
func tellWarnings(w io.Writer, log string) {
	raw, err := os.ReadFile(log)
	if err != nil {
		return // there were none
	}
	for line := range bytes.Lines(raw) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Level == "warning" {
			_, _ = fmt.Fprintln(w, "berth: "+entry.Msg) // as much worth as the output itself
		}
	}
}

// containerOf is the id of a bundle's container. Directories of bundles have random
// names and are never used again.
func containerOf(bundle string) string {
	sum := sha256.Sum256([]byte(bundle))
	return "build-" + hex.EncodeToString(sum[:8])
}

// Sweep deletes the container of a build that was killed.
func (r *runtimeRunner) Sweep(ctx context.Context, bundle string) error {
	cmd, err := r.b.runtime.command("delete", "--force", containerOf(bundle))
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// delete removes the container, again until it is gone: it may not have been there
// yet.
func (r *runtimeRunner) delete(id string, over <-chan struct{}) {
	for {
		cmd, err := r.b.runtime.command("delete", "--force", id)
		if err != nil {
			return
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		_ = cmd.Run() // the end of the runtime tells whether it has worked
		select {
		case <-over:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// reopen opens the runtime's binary anew by its path, if that is still the same
// file: the descriptor that this program was given belongs to the mount namespace it
// has left, and a binary of another namespace the runtime copies for each container,
// for it cannot protect it by a mount (open_tree(2) is EINVAL then).
func (r *runtime) reopen() {
	old := "/proc/self/fd/" + strconv.Itoa(r.fd)
	path, err := os.Readlink(old)
	if err != nil {
		return
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return // moved or replaced: the copy is taken
	}
	var a, z unix.Stat_t
	if unix.Fstat(r.fd, &a) != nil || unix.Fstat(fd, &z) != nil || a.Dev != z.Dev || a.Ino != z.Ino {
		_ = unix.Close(fd) // it was not read
		return
	}
	_ = unix.Close(r.fd) // it was not read
	r.fd = fd
}
