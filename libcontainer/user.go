package libcontainer

import (
	"fmt"
	"strconv"

	"berth/internal/accounts"

	"golang.org/x/sys/unix"
)

// resolve looks names up in the container's /etc/passwd and /etc/group.
func (c *opened) resolve(u accounts.User) (accounts.User, []uint32, error) {
	if u.Name == "" && u.Group == "" {
		return u, nil, nil
	}
	root, err := unix.Open("/proc/"+strconv.Itoa(c.state.PID)+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return u, nil, fmt.Errorf("open root directory of %s: %w", c.state.ID, err)
	}
	defer unix.Close(root)
	return u.Resolve(accounts.In(root))
}
