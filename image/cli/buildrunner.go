package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"berth/image/build"

	"golang.org/x/sys/unix"
)

// runtimeRunner runs the bundles of RUN steps by berth's own runtime. It keeps the
// processes of the runtime for later steps, as many as run side by side.
type runtimeRunner struct {
	b *berth

	mu   sync.Mutex
	idle []*stepServer
}

// Run runs a bundle. A program that cannot be executed has the exit status that a shell
// gives it. When ctx ends the container is deleted, and with it ends the step.
func (r *runtimeRunner) Run(ctx context.Context, bundle string, streams build.IO) (int, error) {
	s, err := r.take(filepath.Join(bundle, "log"))
	if err != nil {
		return 0, err
	}
	out, err := pipesTo(streams)
	if err != nil {
		return 0, errors.Join(err, s.close())
	}
	defer out.drain()
	id := containerOf(bundle)
	over, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-ctx.Done():
			r.delete(id, over)
		case <-over:
		}
	}()
	code, err := s.run(id, bundle, out)
	close(over)
	<-stopped
	if err != nil {
		if e := s.close(); e != nil {
			err = e // why it has gone
		}
		// Its container may be there still, which holds the pipes.
		return 0, errors.Join(err, r.Sweep(context.WithoutCancel(ctx), bundle))
	}
	out.drain()
	if warnings := s.warnings(); code != 0 {
		for _, w := range warnings {
			_, _ = fmt.Fprintln(streams.Stderr, "berth: "+w) // as much worth as the output itself
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, s)
	return code, nil
}

// take returns a process of the runtime that has nothing to do.
func (r *runtimeRunner) take(log string) (*stepServer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.idle) - 1; n >= 0 {
		s := r.idle[n]
		r.idle = r.idle[:n]
		return s, nil
	}
	return startSteps(&r.b.runtime, log)
}

// close ends the processes of the runtime, which have removed their containers then.
func (r *runtimeRunner) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.idle {
		if err := s.close(); err != nil {
			r.b.log.Warn(err.Error())
		}
	}
	r.idle = nil
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
