package fs2

import (
	"errors"
	"fmt"
	"path"
	"time"

	"berth/cgroups/cgfile"

	"golang.org/x/sys/unix"
)

// eventBound is how long processes may take to stop or to die.
const eventBound = 5 * time.Second

// Freeze stops or thaws every process; see cgroups.Manager.
func (m *Manager) Freeze(frozen bool) error {
	d, err := m.open()
	if err != nil {
		return err
	}
	value := "0"
	if frozen {
		value = "1"
	}
	if err := d.Write("cgroup.freeze", value); err != nil {
		return err
	}
	if !frozen {
		return nil // no process has to do anything to be thawed
	}
	done, err := await(d, "frozen", 1, eventBound)
	if err == nil && !done {
		err = fmt.Errorf("freeze %s: processes have not stopped after %v", m.path, eventBound)
	}
	if err != nil {
		return errors.Join(err, d.Write("cgroup.freeze", "0"))
	}
	return nil
}

// Frozen tells whether the cgroup itself is frozen; a removed one is not.
func (m *Manager) Frozen() (bool, error) {
	if m.none {
		return false, nil
	}
	d, err := m.open()
	if err == nil {
		var s string
		if s, err = d.Read("cgroup.freeze"); err == nil {
			return s == "1", nil
		}
	}
	if gone(err) {
		return false, nil
	}
	return false, err
}

// await waits until key of cgroup.events has the value want; the kernel reports
// each change of the file by POLLPRI.
func await(d *cgfile.Dir, key string, want uint64, bound time.Duration) (bool, error) {
	fd, err := d.OpenFile("cgroup.events", unix.O_RDONLY)
	if err != nil {
		return false, fmt.Errorf("open %s: %w", path.Join(d.Path, "cgroup.events"), err)
	}
	defer func() { _ = unix.Close(fd) }() // only read from
	end := time.Now().Add(bound)
	buf := make([]byte, 256)
	for {
		// Reading through the polled fd is what re-arms the event.
		n, err := unix.Pread(fd, buf, 0)
		if err != nil {
			return false, fmt.Errorf("read %s: %w", path.Join(d.Path, "cgroup.events"), err)
		}
		if v, ok := cgfile.Key(string(buf[:n]), key); ok && v == want {
			return true, nil
		}
		left := time.Until(end)
		if left <= 0 {
			return false, nil
		}
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
		if _, err := unix.Poll(p, int(left.Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("poll %s: %w", path.Join(d.Path, "cgroup.events"), err)
		}
	}
}
