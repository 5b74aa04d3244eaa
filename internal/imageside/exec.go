package imageside

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"

	"berth/internal/embedded"

	"golang.org/x/sys/unix"
)

// ErrMissing is what Exec and Commands say in a berth that was built without the
// image program.
const ErrMissing = missing("this berth was built without its image side")

// missing is a constant, so that no verb pays for its making.
type missing string

func (m missing) Error() string { return string(m) }

// Hint is the line after the error.
func (missing) Hint() string { return "build it with make" }

// Exec replaces this process by the image program with berth's arguments; args[0]
// is the name. It returns only with an error.
func Exec(args []string) error {
	if embedded.Image.Missing() {
		return ErrMissing
	}
	self, err := unix.Open("/proc/self/exe", unix.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("open own binary: %w", err)
	}
	defer unix.Close(self)
	file, err := embedded.Image.Open()
	if err != nil {
		return err
	}
	defer unix.Close(file)
	argv := slices.Concat(args[:1], []string{"--runtime-fd=" + strconv.Itoa(self)}, args[1:])
	// syscall.Exec gives the limit of open files back that Go's runtime has raised.
	err = syscall.Exec("/proc/self/fd/"+strconv.Itoa(file), argv, os.Environ())
	return fmt.Errorf("execute the image program: %w", err)
}
