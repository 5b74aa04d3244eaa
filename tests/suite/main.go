// Command suite runs berth's tests stage by stage with go test, and reports them:
// a line per package, the whole output of what failed, why tests were skipped, and
// one line with the numbers.
//
//	go run ./tests/suite [-runtime PATH] [-run REGEXP] [-v] [STAGE...]
//
// Without arguments all stages run. Exit status 1: something failed.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const tags = "netgo,osusergo,urfave_cli_no_docs,urfave_cli_no_suggest"

// stage is a set of packages that are tested in one go.
type stage struct {
	name string
	// dir holds the packages; empty: all packages outside tests.
	dir string
	// as is a program, from the root of the module, that runs the tests as somebody
	// else; such a stage is for root.
	as string
	// serial packages use the whole host: cgroups with fixed names, engines.
	serial bool
}

var stages = []stage{
	{name: "unit"},
	{name: "arch", dir: "tests/arch"},
	{name: "integration", dir: "tests/integration", serial: true},
	{name: "user", dir: "tests/integration", serial: true, as: "tests/setup/as-user"},
	{name: "attack", dir: "tests/attack", serial: true},
	{name: "engines", dir: "tests/engines", serial: true},
	{name: "image", dir: "tests/image", serial: true},
	{name: "build", dir: "tests/build", serial: true},
	{name: "build-user", dir: "tests/build", serial: true, as: "tests/setup/as-user"},
	{name: "load", dir: "tests/load", serial: true},
	{name: "conformance", dir: "tests/conformance", serial: true},
}

func main() {
	runtime := flag.String("runtime", "bin/berth", "the runtime under test")
	run := flag.String("run", "", "run only the tests that match, as go test -run")
	verbose := flag.Bool("v", false, "print the output of all tests")
	flag.Parse()
	code, err := runStages(*runtime, *run, *verbose, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
	}
	os.Exit(code)
}

func runStages(runtime, run string, verbose bool, names []string) (code int, err error) {
	path, err := exec.LookPath(runtime)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return 1, fmt.Errorf("the runtime under test: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return 1, err
	}
	if err := os.Setenv("BERTH_RUNTIME", path); err != nil {
		return 1, err
	}
	selected, err := selectStages(names)
	if err != nil {
		return 1, err
	}
	if os.Geteuid() != 0 {
		fmt.Println("not root: tests that need root are skipped, and named at the end")
	}
	total := newReport(verbose)
	start := time.Now()
	for _, s := range selected {
		if err := s.test(run, total); err != nil {
			return 1, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	total.printSkipped(os.Stdout)
	fmt.Printf("\n%d passed, %d failed, %d skipped in %s\n", total.passed, total.failed, total.skipped, time.Since(start).Round(time.Second))
	if total.failed > 0 {
		return 1, nil
	}
	return 0, nil
}

func selectStages(names []string) ([]stage, error) {
	if len(names) == 0 {
		return stages, nil
	}
	var selected []stage
	for _, name := range names {
		found := false
		for _, s := range stages {
			if s.name == name {
				selected = append(selected, s)
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("no stage %q", name)
		}
	}
	return selected, nil
}

// packages lists the packages of the stage that have tests or at least Go files.
func (s stage) packages() ([]string, error) {
	pattern := "./..."
	if s.dir != "" {
		if files, err := filepath.Glob(filepath.Join(s.dir, "*.go")); err != nil || len(files) == 0 {
			return nil, err
		}
		pattern = "./" + s.dir
	}
	cmd := exec.Command("go", "list", "-tags", tags, pattern)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", pattern, err)
	}
	var packages []string
	for name := range strings.FieldsSeq(string(out)) {
		if s.dir == "" && strings.HasPrefix(name, "berth/tests/") {
			continue
		}
		packages = append(packages, name)
	}
	return packages, nil
}

// test runs the stage's packages and adds what happened to total.
func (s stage) test(run string, total *report) error {
	if s.as != "" && os.Geteuid() != 0 {
		return nil
	}
	packages, err := s.packages()
	if err != nil || len(packages) == 0 {
		return err
	}
	fmt.Printf("\n== %s\n", s.name)
	args := []string{"test", "-json", "-count=1", "-timeout=12m", "-tags", tags}
	if s.serial {
		args = append(args, "-p=1")
	}
	if run != "" {
		args = append(args, "-run", run)
	}
	if s.as != "" {
		program, err := filepath.Abs(s.as)
		if err != nil {
			return err
		}
		args = append(args, "-exec", program)
	}
	cmd := exec.Command("go", append(args, packages...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	before := total.failed
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			total.add(line, os.Stdout)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	// Failed tests make go test exit with 1 and are counted already.
	if err := cmd.Wait(); err != nil && total.failed == before {
		return fmt.Errorf("go test: %w", err)
	}
	return nil
}
