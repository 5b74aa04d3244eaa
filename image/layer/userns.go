package layer

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// InUserNamespace tells whether the process is in a user namespace other than the
// host's: then not every id is mapped to itself.
func InUserNamespace() bool {
	raw, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	var inside, outside, count int64
	n, err := fmt.Sscan(string(raw), &inside, &outside, &count)
	return err == nil && n == 3 && (inside != 0 || outside != 0 || count != 1<<32-1)
}

// Empty removes everything in a directory.
func Empty(dir *os.File) error {
	fd := int(dir.Fd())
	names, err := listDir(fd)
	if err != nil {
		return fmt.Errorf("empty %s: %w", dir.Name(), err)
	}
	for _, name := range names {
		if err := removeTree(fd, name); err != nil {
			return fmt.Errorf("empty %s: %w", dir.Name(), err)
		}
	}
	// An opaque mark would be one of another layer.
	for _, name := range []string{"trusted.overlay.opaque", "user.overlay.opaque"} {
		_ = unix.Fremovexattr(fd, name) // usually there is none
	}
	return nil
}
