package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"berth/internal/linux"
	"berth/libcontainer/configs"
	"berth/libcontainer/state"
	"berth/libcontainer/wire"

	"golang.org/x/sys/unix"
)

// A service manager that starts berth with NOTIFY_SOCKET (sd_notify(3)) wants to
// know when the workload is ready. The workload cannot reach that socket: create
// binds a directory of the state directory into the container, start listens in it,
// and passes READY=1 on.

// notifyDir is below the container's state directory, notifyMount inside it.
const (
	notifyDir    = "notify"
	notifySocket = "notify.sock"
	notifyMount  = "/run/notify"
)

// offerNotify makes the directory and adds it to the plan, when berth was started
// with NOTIFY_SOCKET.
func offerNotify(dir *state.Dir, cfg *configs.Config) error {
	if os.Getenv("NOTIFY_SOCKET") == "" || !cfg.Plan.MountNS || !cfg.HasProcess {
		return nil
	}
	if err := unix.Mkdirat(dir.FD(), notifyDir, 0o755); err != nil {
		return fmt.Errorf("make %s/%s: %w", dir.Path, notifyDir, err)
	}
	cfg.Plan.Rootfs.Mounts = append(cfg.Plan.Rootfs.Mounts, wire.Mount{
		Index:       -1,
		Source:      dir.Path + "/" + notifyDir,
		Destination: notifyMount,
		Type:        "bind",
		Bind:        true,
		FD:          -1,
		AttrSet:     linux.MountAttrNosuid | linux.MountAttrNodev | linux.MountAttrNoexec,
	})
	cfg.Plan.Process.Env = append(withoutVar(cfg.Plan.Process.Env, "NOTIFY_SOCKET"), "NOTIFY_SOCKET="+notifyMount+"/"+notifySocket)
	return nil
}

func withoutVar(env []string, name string) []string {
	kept := env[:0:0]
	for _, e := range env {
		if !strings.HasPrefix(e, name+"=") {
			kept = append(kept, e)
		}
	}
	return kept
}

// notifier listens for the workload; nil when nobody asked.
type notifier struct {
	fd   int
	host string
}

// openNotify listens in the container's notify directory. It is called before the
// workload starts, so that no message is lost.
func openNotify(dir *state.Dir) (*notifier, error) {
	host := os.Getenv("NOTIFY_SOCKET")
	var st unix.Stat_t
	if host == "" || unix.Fstatat(dir.FD(), notifyDir, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return nil, nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	addr := socketAddress(dir.FD(), notifyDir+"/"+notifySocket)
	if err = unix.Bind(fd, addr); err == nil {
		// Any user of the container may report.
		err = unix.Chmod(addr.Name, 0o777)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("notify socket in %s: %w", dir.Path, err)
	}
	return &notifier{fd: fd, host: host}, nil
}

func (n *notifier) close() {
	if n != nil {
		unix.Close(n.fd)
	}
}

// forward waits until the workload reports READY=1 and tells the service manager,
// together with the pid that is the service's. It gives up when the workload ends.
func (n *notifier) forward(pid int) error {
	if n == nil {
		return nil
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("watch process %d: %w", pid, err)
	}
	defer unix.Close(pidfd)
	buf := make([]byte, 4096)
	for {
		fds := []unix.PollFd{{Fd: int32(n.fd), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for READY=1: %w", err)
		}
		if fds[0].Revents != 0 {
			size, err := unix.Read(n.fd, buf)
			if err != nil {
				return fmt.Errorf("read notify socket: %w", err)
			}
			if saysReady(buf[:size]) {
				return n.tell(pid)
			}
		} else if fds[1].Revents != 0 {
			return nil
		}
	}
}

func saysReady(msg []byte) bool {
	for _, line := range bytes.Split(msg, []byte("\n")) {
		if string(line) == "READY=1" {
			return true
		}
	}
	return false
}

// tell reports to the service manager and waits until it has read the report: it
// identifies the sender by pid, which must not be gone by then (BARRIER=1,
// sd_notify_barrier(3)).
func (n *notifier) tell(pid int) error {
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("notify socket: %w", err)
	}
	defer unix.Close(sock)
	// A leading @ stands for the abstract namespace, which x/sys knows too.
	if err := unix.Connect(sock, &unix.SockaddrUnix{Name: n.host}); err != nil {
		return fmt.Errorf("connect to NOTIFY_SOCKET %s: %w", n.host, err)
	}
	if _, err := unix.Write(sock, fmt.Appendf(nil, "MAINPID=%d\nREADY=1", pid)); err != nil {
		return fmt.Errorf("write to NOTIFY_SOCKET %s: %w", n.host, err)
	}
	var barrier [2]int
	if err := unix.Pipe2(barrier[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(barrier[0])
	err = wire.SendFD(sock, barrier[1], []byte("BARRIER=1"))
	unix.Close(barrier[1])
	if err != nil {
		return nil // an old service manager that takes no fds
	}
	const patience = 5000 // ms; one that does not know BARRIER=1 closes the fd at once
	fds := []unix.PollFd{{Fd: int32(barrier[0]), Events: unix.POLLHUP}}
	if _, err := unix.Poll(fds, patience); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("wait for the service manager: %w", err)
	}
	return nil
}
