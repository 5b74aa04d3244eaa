package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	runtime string // path of the runtime, or runc or crun for those of the image
	kernel  string
	run     string // replaces tests.txt
	verbose bool
	image   bool          // build the image, no more
	limit   time.Duration // for one machine
	boots   []boot
}

func main() {
	var o options
	flag.StringVar(&o.runtime, "runtime", "bin/berth", "the runtime under test; runc, crun: those in the machine")
	flag.StringVar(&o.kernel, "kernel", "6.1", "the machine's kernel: 6.1 or 6.12")
	flag.StringVar(&o.run, "run", "", "run the tests that match in all modes, instead of those in tests.txt")
	flag.BoolVar(&o.verbose, "v", false, "print all output")
	flag.BoolVar(&o.image, "image", false, "build the image if it is not in the cache, and no more")
	flag.DurationVar(&o.limit, "limit", 17*time.Minute, "end a machine after this time")
	flag.Parse()
	// A machine ends with its context, so none outlives a signal.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	failed, err := runAll(ctx, o, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

// runAll makes what the machines need, runs them side by side, and says whether a
// test failed.
func runAll(ctx context.Context, o options, names []string) (failed bool, err error) {
	if o.boots, err = selectBoots(names); err != nil {
		return false, err
	}
	if o.image {
		_, err := findImage(ctx)
		return false, err
	}
	work, err := os.MkdirTemp("", "berth-vm")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := buildTests(ctx, work); err != nil {
		return false, err
	}
	c, err := choose(ctx, o, work)
	if err != nil {
		return false, err
	}
	image, err := findImage(ctx)
	if err != nil {
		return false, err
	}
	var (
		group  sync.WaitGroup
		mutex  sync.Mutex // of failed, errs and stdout
		errs   []error
		places = make(chan struct{}, runtime.NumCPU())
	)
	for _, b := range o.boots {
		group.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			dir := filepath.Join(work, b.name)
			err := run(ctx, o, b, image, dir, c, func(r *results) {
				mutex.Lock()
				defer mutex.Unlock()
				r.print(os.Stdout, o.verbose)
				failed = failed || r.bad()
			})
			if err != nil {
				mutex.Lock()
				defer mutex.Unlock()
				errs = append(errs, fmt.Errorf("%s: %w", b.name, err))
			}
		})
	}
	group.Wait()
	return failed, errors.Join(errs...)
}

// run runs one machine, with the test binaries beside dir, and hands out the results of
// each of its modes.
func run(ctx context.Context, o options, b boot, image, dir string, c *choices, done func(*results)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("the machine was ended after %v", o.limit))
	defer cancel()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	disk, err := makeJob(ctx, o, b, dir, c.patterns)
	if err != nil {
		return err
	}
	m := machine{image: image, kernel: o.kernel, job: disk, dir: dir}
	return m.run(ctx, &stream{boot: b, kernel: o.kernel, verbose: o.verbose, subtests: c.subtests, done: done})
}

// suites are the packages that go into the machines; the last part of the path is what
// they are called there.
var suites = [...]string{"tests/integration", "tests/attack", "tests/image", "tests/build", "image/overlay"}

// binary is a suite's in the directory dir.
func binary(dir, suite string) string { return filepath.Join(dir, path.Base(suite)+".test") }

// buildTests compiles each suite into one static binary in dir.
func buildTests(ctx context.Context, dir string) error {
	for _, suite := range suites {
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-tags", "netgo,osusergo", "-ldflags", "-s -w", "-o", binary(dir, suite), "./"+suite)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go test -c ./%s: %w\n%s", suite, err, out)
		}
	}
	return nil
}

// tool runs a program of the host for its effect; its output is part of the error.
func tool(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
