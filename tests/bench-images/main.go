// Command bench-images compares berth's pull with what else is installed of skopeo and
// umoci, podman and containerd: fetch from a registry on loopback and unpack, for an
// image of 28,000 files in seven layers and one of 100,000 small files. It runs as
// root, asserts nothing, and prints a table.
//
//	go run ./tests/bench-images [-berth bin/berth] [-n 3] [-dir DIR] [-only REGEXP] [-keep]
//
// The tools take turns in every round, each with an empty store of its own. Nothing
// is deleted before the end: for minutes after a deletion ext4 walks over the inodes
// that were freed, one by one, for every file it makes, and so whoever comes after
// the deletion of 100,000 files needs ten times as long.
//
// CPU is the rusage of a tool's processes, with what containerd's daemon used
// meanwhile; memory the largest of its processes. The registry's work counts for
// nobody.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "registry" {
		exit(serveRegistry(os.Args[2]))
	}
	berth := flag.String("berth", "bin/berth", "berth's binary")
	rounds := flag.Int("n", 3, "rounds")
	dir := flag.String("dir", "", "where images and stores are kept; empty: a temporary directory")
	only := flag.String("only", "", "only the tools and images that match this expression, as berth/ordinary")
	keep := flag.Bool("keep", false, "keep the stores in -dir")
	flag.Parse()
	exit(run(*berth, *dir, *only, *rounds, *keep))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-images:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(berth, dir, only string, rounds int, keep bool) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("this benchmark needs root")
	}
	if berth, err = filepath.Abs(berth); err != nil {
		return err
	}
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "bench-images-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	images := filepath.Join(dir, "images")
	for _, s := range shapes() {
		if err := generate(images, s); err != nil {
			return fmt.Errorf("make the image %s: %w", s.name, err)
		}
	}
	stores, err := os.MkdirTemp(dir, "stores-")
	if err != nil {
		return err
	}
	if !keep {
		defer os.RemoveAll(stores) //nolint:errcheck // a temporary directory
	}
	address, stop, err := startRegistry(images)
	if err != nil {
		return err
	}
	defer stop()
	defer os.RemoveAll("/run/bench-images") //nolint:errcheck // podman's, see tools
	h := &host{dir: stores, registry: address, tools: tools(berth), only: pattern}
	if err := h.measure(rounds); err != nil {
		return err
	}
	h.table.print(os.Stdout)
	return nil
}

// startRegistry runs the registry as a process of its own.
func startRegistry(images string) (address string, stop func(), err error) {
	cmd := exec.Command("/proc/self/exe", "registry", images)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	stop = func() {
		_ = cmd.Process.Kill() // it has nothing to lose
		_ = cmd.Wait()         // killed
	}
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("start the registry: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}
