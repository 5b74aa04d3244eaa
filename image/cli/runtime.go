package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

// runtime is berth's own binary, which executed this program.
type runtime struct {
	// fd is open for reading, close-on-exec; -1 without a runtime.
	fd int
	// globals are the runtime's global flags of this invocation.
	globals []string
}

// adopt takes the descriptor that --runtime-fd names.
func (r *runtime) adopt(fd int) error {
	if r.fd = fd; fd < 0 {
		return nil
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return fmt.Errorf("--runtime-fd %d: not berth's binary", fd)
	}
	syscall.CloseOnExec(fd)
	return nil
}

// command prepares a call of the runtime, with the global flags that this program
// was called with. The caller sets its streams and process group.
func (r *runtime) command(args ...string) (*exec.Cmd, error) {
	if r.fd < 0 {
		return nil, errors.New("the runtime is not known: call the image side through berth")
	}
	// By this process's name, not the child's: there ExtraFiles may take the number.
	path := "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(r.fd)
	return &exec.Cmd{Path: path, Args: slices.Concat([]string{"berth"}, r.globals, args)}, nil
}

// runtimeGlobals picks the global flags that are the runtime's out of the command
// line. --log is not: the runtime's own error would appear beside ours.
func runtimeGlobals(app *cli.App, args []string) []string {
	var globals []string
	for i := 1; i < command.Name(app, args); i++ {
		name, _, given := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		takes := !given && slices.Contains([]string{"root", "cgroup-manager", "rootless", "store", "runtime-fd", "log", "log-format", "log-level"}, name)
		switch name {
		case "root", "cgroup-manager", "rootless", "systemd-cgroup", "store":
			globals = append(globals, args[i])
			if takes && i+1 < len(args) {
				globals = append(globals, args[i+1])
			}
		}
		if takes {
			i++
		}
	}
	return globals
}
