// Command bench compares berth with runc, crun and a minimal C program on a bundle
// such as docker's: all namespaces but user, limits, docker's seccomp profile,
// masked paths. It runs as root, asserts nothing, and prints tables.
//
//	go run ./tests/bench [-berth bin/berth] [-n 30] [-only REGEXP] [-mounts N] [-alive N] [-memory=false]
//
// All runtimes keep their state on one tmpfs and are measured in turn, with a gap
// before each operation: a cgroup join waits for an RCU grace period unless another
// has just happened, which a tight loop hides and a real host never does.
//
// CPU is the rusage of the runtime's processes and, where the runtime hands the
// container over, of the container's.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	berth  string
	peers  string
	rounds int
	gap    time.Duration
	only   string
	mounts int
	alive  int
	memory bool
	filter string
}

func main() {
	var o options
	flag.StringVar(&o.berth, "berth", "bin/berth", "berth's binary")
	flag.StringVar(&o.peers, "peers", "runc,crun", "other runtimes, where they are installed")
	flag.IntVar(&o.rounds, "n", 30, "rounds")
	flag.DurationVar(&o.gap, "gap", 150*time.Millisecond, "pause before an operation that joins a cgroup")
	flag.StringVar(&o.only, "only", "", "only the operations that match this expression")
	flag.IntVar(&o.mounts, "mounts", 0, "mounts to add to the host's before")
	flag.IntVar(&o.alive, "alive", 0, "containers of each runtime to keep alive meanwhile")
	flag.BoolVar(&o.memory, "memory", true, "find the smallest memory limit as well")
	flag.StringVar(&o.filter, "seccomp", "seccomp/testdata/docker-default.json", "the seccomp profile; empty: none")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("this benchmark needs root")
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	if os.Getenv(inside) == "" {
		return inMountNamespace()
	}
	runtimes, err := findRuntimes(o.berth, o.peers)
	if err != nil {
		return err
	}
	h, err := newHost(runtimes, o)
	if err != nil {
		return err
	}
	defer h.close()
	h.describe()
	if err := h.keepAlive(o.alive); err != nil {
		return err
	}
	table, err := h.measure(o.rounds, o.gap, only)
	if err != nil {
		return err
	}
	table.print(os.Stdout)
	if o.memory && only.MatchString("memory") {
		h.smallestMemory()
	}
	return nil
}

// contender is a runtime in the race.
type contender struct {
	name, path, version string
}

func findRuntimes(berth, peers string) ([]contender, error) {
	var found []contender
	for i, name := range append([]string{berth}, strings.Split(peers, ",")...) {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			if i == 0 {
				return nil, err
			}
			fmt.Printf("%s is not installed\n", name)
			continue
		}
		out, err := exec.Command(path, "--version").Output()
		if err != nil {
			return nil, fmt.Errorf("%s --version: %w", path, err)
		}
		first, _, _ := strings.Cut(string(out), "\n")
		if i > 0 {
			name = filepath.Base(path)
		} else {
			name = "berth"
		}
		found = append(found, contender{name: name, path: path, version: first})
	}
	return found, nil
}
