package conformance

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestConformance runs the whole suite: one subtest and one line per program.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite takes minutes")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	runtime, peer := findRuntime(t)
	verdicts, err := readVerdicts("verdicts.txt")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "berth", "runtime-tools")
	unlock, err := lock(cache)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	suite, err := prepare(cache)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, suite, verdicts)
	workshop, err := newWorkshop(suite, runtime, peer)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := workshop.close(); err != nil {
			t.Error(err)
		}
	}()

	clean, excused, failed := 0, 0, 0
	for _, program := range suite.programs {
		t.Run(program, func(t *testing.T) {
			r := workshop.run(program)
			gate, why := verdicts[program].judge(r)
			switch {
			case why == "":
				clean++
				fmt.Printf("ok    %-34s %s\n", program, r)
			case !gate:
				excused++
				fmt.Printf("-     %-34s %s\n", program, why)
				t.Skipf("%s: %s", verdicts[program].kind, verdicts[program].reason)
			default:
				failed++
				fmt.Printf("FAIL  %-34s %s\n%s", program, why, r.detail())
				if peer != "" {
					t.Skipf("%s fails: %s", peer, why)
				}
				t.Error(why)
			}
		})
	}
	fmt.Printf("conformance of %s: %d of %d programs clean, %d excused, %d failed\n",
		runtime, clean, len(suite.programs), excused, failed)
}

// findRuntime returns the runtime, and its name if it is a peer of berth.
func findRuntime(t *testing.T) (path, peer string) {
	t.Helper()
	path = os.Getenv("BERTH_RUNTIME")
	if path == "" {
		path = "../../bin/berth"
		if _, err := os.Stat(path); err != nil {
			t.Skip("needs bin/berth (run make), or BERTH_RUNTIME")
		}
	}
	path, err := exec.LookPath(path)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		t.Fatal(err)
	}
	if path, err = filepath.Abs(path); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		t.Fatalf("%s --version: %v", path, err)
	}
	name, _, _ := strings.Cut(string(out), " ")
	if name != "berth" {
		peer = name
	}
	return path, peer
}

// compare fails if the table and the suite do not name the same programs.
func compare(t *testing.T, s *suite, verdicts map[string]verdict) {
	t.Helper()
	known := map[string]bool{}
	for _, program := range s.programs {
		known[program] = true
		if _, ok := verdicts[program]; !ok {
			t.Errorf("verdicts.txt: %s is missing", program)
		}
	}
	for program := range verdicts {
		if !known[program] {
			t.Errorf("verdicts.txt: the suite has no program %s", program)
		}
	}
}
