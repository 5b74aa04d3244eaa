package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// limit is how long one program may take; the slowest needs about ten seconds.
const limit = 60 * time.Second

// hybrid is where hybrid hosts mount cgroup v2; crun refuses to run beside it.
const hybrid = "/sys/fs/cgroup/unified"

// workshop is the directory the programs run in: the suite looks for runtimetest
// and the archive in its working directory.
type workshop struct {
	suite   *suite
	runtime string // the runtime under test
	dir     string // removed by close
	wrapper string // what the suite calls: the runtime with a --root of ours
	script  string // what runs a program in its mount namespace
}

func newWorkshop(s *suite, runtime string, peer string) (*workshop, error) {
	dir, err := os.MkdirTemp("", "berth-conformance")
	if err != nil {
		return nil, err
	}
	w := &workshop{
		suite: s, runtime: runtime, dir: dir,
		wrapper: filepath.Join(dir, "runtime"),
		script:  `exec "$0"`,
	}
	prologue := ""
	if peer == "crun" {
		// crun up to 1.14.1 refuses the version the suite writes, "1.3.0".
		prologue = `[ "$1 $2" != "create --bundle" ] || sed -i 's/"ociVersion": *"[^"]*"/"ociVersion": "1.0.2"/' "$3/config.json"` + "\n"
		w.script = `umount ` + hybrid + ` 2>/dev/null; exec "$0"`
	}
	wrapper := fmt.Sprintf("#!/bin/sh\n%sexec '%s' --root '%s' \"$@\"\n", prologue, runtime, w.root())
	err = errors.Join(
		os.Chmod(dir, 0o755),
		os.Mkdir(w.temp(), 0o755),
		os.WriteFile(w.wrapper, []byte(wrapper), 0o755),
		duplicate(s.rootfs, filepath.Join(dir, filepath.Base(s.rootfs))),
		duplicate(filepath.Join(s.bin, "runtimetest"), filepath.Join(dir, "runtimetest")),
	)
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *workshop) root() string { return filepath.Join(w.dir, "state") }
func (w *workshop) temp() string { return filepath.Join(w.dir, "tmp") }

func (w *workshop) close() error { return os.RemoveAll(w.dir) }

// run runs one program of the suite and removes the containers it left.
func (w *workshop) run(program string) result {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	// A mount namespace whose mounts reach no other: linux_ns_itype mounts in
	// the tester's namespace and then removes files below a live /proc.
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private",
		"sh", "-c", w.script, filepath.Join(w.suite.bin, program))
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "RUNTIME="+w.wrapper, "TMPDIR="+w.temp())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// Containers may keep the pipe open beyond the program's end.
	cmd.WaitDelay = 2 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	r := parse(output.String())
	switch {
	case ctx.Err() != nil:
		r.exit = "still running after " + limit.String()
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		r.exit = err.Error()
	}
	w.sweep()
	return r
}

// sweep deletes the containers and bundles a program left behind.
func (w *workshop) sweep() {
	out, err := exec.Command(w.wrapper, "list", "-q").Output()
	if err == nil {
		for id := range strings.FieldsSeq(string(out)) {
			// A container that cannot be deleted is the next program's finding.
			_ = exec.Command(w.wrapper, "delete", "--force", id).Run()
		}
	}
	left, err := filepath.Glob(filepath.Join(w.temp(), "*"))
	if err != nil {
		return
	}
	for _, path := range left {
		// What is left goes with the workshop.
		_ = os.RemoveAll(path)
	}
}

// duplicate copies a file with its mode.
func duplicate(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, info.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
