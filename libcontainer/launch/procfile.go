package launch

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// writeProc writes a file of process pid. Not with os.OpenFile, which starts the
// network poller.
func writeProc(pid int, name, text string) error {
	path := "/proc/" + strconv.Itoa(pid) + "/" + name
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		return fmt.Errorf("write %q to %s: %w", text, path, err)
	}
	return nil
}
