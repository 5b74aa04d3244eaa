package libcontainer

import (
	"fmt"

	"berth/libcontainer/configs"
	"berth/libcontainer/wire"
	"berth/specconv"

	"golang.org/x/sys/unix"
)

// hookOutput opens the files that hooks append their output to, and writes the fds
// into lists. close gives them back.
func hookOutput(stdout, stderr string, lists ...[]wire.Hook) (closeAll func(), err error) {
	var fds []int
	closeAll = func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	for _, path := range []string{stdout, stderr} {
		fd := 0
		if path != "" {
			const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_APPEND | unix.O_CLOEXEC | unix.O_NOCTTY
			if fd, err = unix.Open(path, flags, 0o600); err != nil {
				closeAll()
				return nil, fmt.Errorf("file for the output of hooks %s: %w", path, err)
			}
			fds = append(fds, fd)
		}
		for _, list := range lists {
			for i := range list {
				if path == "" {
					continue
				}
				if path == stdout {
					list[i].Stdout = fd
				}
				if path == stderr {
					list[i].Stderr = fd
				}
			}
		}
	}
	return closeAll, nil
}

// openHookOutput does so for all hooks of a container that is being made.
func openHookOutput(cfg *configs.Config) (closeAll func(), err error) {
	h := &cfg.Hooks
	return hookOutput(cfg.HookStdout, cfg.HookStderr, h.Prestart, h.CreateRuntime, h.CreateContainer, h.StartContainer, h.Poststart, h.Poststop)
}

// savedOutput does so for hooks of a container that was made before.
func (c *opened) savedOutput(list []wire.Hook) (closeAll func(), err error) {
	stdout, stderr := specconv.HookOutput(c.state.Annotations)
	return hookOutput(stdout, stderr, list)
}
