package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

var runtimePath, runtimeName, runtimeVersion string

// Runtime returns the absolute path of the runtime under test.
func Runtime() string { return runtimePath }

// RuntimeName returns "berth", "runc", "crun", or whatever --version begins with.
func RuntimeName() string { return runtimeName }

// IsBerth says that the runtime under test is no peer: all assertions are strict.
func IsBerth() bool { return runtimeName != "runc" && runtimeName != "crun" }

func findRuntime() error {
	path := os.Getenv("BERTH_RUNTIME")
	if path == "" {
		path = "../../bin/berth"
		if _, err := os.Stat(path); err != nil {
			path = "berth"
		}
	}
	path, err := exec.LookPath(path)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return fmt.Errorf("find the runtime (set BERTH_RUNTIME): %w", err)
	}
	if runtimePath, err = filepath.Abs(path); err != nil {
		return err
	}
	out, err := exec.Command(runtimePath, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", runtimePath, err)
	}
	words := strings.Fields(string(out))
	if len(words) < 3 {
		return fmt.Errorf("%s --version: unknown output %q", runtimePath, out)
	}
	runtimeName, runtimeVersion = words[0], words[2]
	return nil
}
