package libcontainer

import (
	"errors"
	"fmt"

	"berth/internal/lazyjson"
	"berth/libcontainer/state"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// sendListener returns a function that sends the listener of a seccomp filter to
// linux.seccomp.listenerPath, with the state of the container and pid, the process
// under the filter (OCI runtime spec, config-linux.md, The Container Process
// State). It reads config.json only when it is called.
func (c *opened) sendListener(pid int, status state.Status) func(fd int) error {
	return func(fd int) error {
		path, metadata, err := c.listenerPath()
		if err != nil {
			return err
		}
		data, err := lazyjson.Marshal(specs.ContainerProcessState{
			Version:  specs.Version,
			Fds:      []string{specs.SeccompFdName},
			Pid:      pid,
			Metadata: metadata,
			State:    c.specState(status),
		})
		if err != nil {
			return fmt.Errorf("container process state: %w", err)
		}
		if err := sendListener(path, fd, data); err != nil {
			return fmt.Errorf("send seccomp listener to linux.seccomp.listenerPath %s: %w", path, err)
		}
		return nil
	}
}

func (c *opened) listenerPath() (path, metadata string, err error) {
	raw, err := c.dir.LoadConfig()
	if err != nil {
		return "", "", err
	}
	var config struct {
		Linux struct {
			Seccomp struct{ ListenerPath, ListenerMetadata string }
		}
	}
	if err := lazyjson.Unmarshal(raw, &config); err != nil {
		return "", "", fmt.Errorf("read linux.seccomp of %s: %w", c.state.ID, err)
	}
	s := config.Linux.Seccomp
	return s.ListenerPath, s.ListenerMetadata, nil
}

// sendListener sends one container process state over a connection of its own: in
// one call, as agents read it in one, unless the kernel takes less.
func sendListener(path string, fd int, data []byte) error {
	sock, err := connectUnix(path)
	if err != nil {
		return err
	}
	defer unix.Close(sock)
	rights := unix.UnixRights(fd)
	for len(data) > 0 {
		n, err := unix.SendmsgN(sock, data, rights, nil, unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		data, rights = data[n:], nil
	}
	return nil
}
