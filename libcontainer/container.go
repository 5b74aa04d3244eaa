package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"berth/libcontainer/configs"
	"berth/libcontainer/launch"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// container is a container that is being made.
type container struct {
	opened
	cfg   *configs.Config
	child *launch.Child
	// late are limits to write once the init stage is ready; nil: none.
	late *specs.LinuxResources
	// devices are the network devices moved into the container; nil: none.
	devices *netDevices
}

// writePIDFile writes the decimal pid, complete from the first moment that the
// file has its name: engines read it right after berth has exited.
func writePIDFile(path string, pid int) error {
	if path == "" {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("pid file %s: %w", path, err)
	}
	_, err = f.WriteString(strconv.Itoa(pid))
	if err == nil {
		err = f.Chmod(0o644)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		// The error that counts is err; a leftover temp file is all this could add.
		_ = os.Remove(f.Name())
		return fmt.Errorf("pid file %s: %w", path, err)
	}
	return nil
}

// sendPidfd hands a pidfd of the container process to whoever listens at path.
func sendPidfd(path string, pid int) error {
	if path == "" {
		return nil
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd of process %d: %w", pid, err)
	}
	defer unix.Close(pidfd)
	sock, err := connectUnix(path)
	if err != nil {
		return fmt.Errorf("pidfd socket %s: %w", path, err)
	}
	defer unix.Close(sock)
	if err := wire.SendFD(sock, pidfd, []byte("pidfd")); err != nil {
		return fmt.Errorf("send pidfd to %s: %w", path, err)
	}
	return nil
}

// checkPreserveFDs refuses a promise of fds that are not open: the workload would
// get others, opened by berth in their place.
func checkPreserveFDs(n int) error {
	for fd := 3; fd < 3+n; fd++ {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return fmt.Errorf("preserve-fds %d: fd %d is not open: %w", n, fd, err)
		}
	}
	return nil
}

// needsSeal tells whether the init stage has to be a sealed copy of berth: the
// workload has CAP_SYS_ADMIN in the host's user namespace and could make the
// read-only mount of the binary writable; or others of the container's user
// namespace can see the stage, which the kernel keeps them from tracing only if
// they cannot read its binary (would_dump, fs/exec.c).
func needsSeal(userns, visible bool, p *wire.Process) bool {
	if userns {
		return visible
	}
	return holds(p, unix.CAP_SYS_ADMIN)
}

// holds tells whether a workload may have a capability.
func holds(p *wire.Process, capability int) bool {
	c := p.Capabilities
	return c != nil && (c.Bounding|c.Permitted)&(1<<capability) != 0
}
