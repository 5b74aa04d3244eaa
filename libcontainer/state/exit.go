package state

import (
	"errors"
	"fmt"
	"os"
	"time"

	"berth/internal/lazyjson"

	"golang.org/x/sys/unix"
)

// Exit is how a container's init process ended, as exit.json.
type Exit struct {
	// Code is what a shell would give: the exit status, or 128 and the signal.
	Code int `json:"exitCode"`
	// At is when that was noted, in UTC.
	At time.Time `json:"at"`
}

// SaveExit records the end of the init process. It needs no lock: whoever learns
// the status learns the same.
func (d *Dir) SaveExit(code int) error {
	data, err := lazyjson.Marshal(Exit{Code: code, At: time.Now().UTC()})
	if err != nil {
		return fmt.Errorf("encode exit status of %s: %w", d.ID, err)
	}
	// Several may write at once, each its own file.
	temp := fmt.Sprintf(".%s.%d", ExitFile, os.Getpid())
	if err := d.write(temp, data); err != nil {
		return fmt.Errorf("write %s/%s: %w", d.Path, temp, err)
	}
	if err := unix.Renameat(d.fd, temp, d.fd, ExitFile); err != nil {
		return fmt.Errorf("rename %s/%s: %w", d.Path, temp, err)
	}
	return nil
}

// LoadExit returns the recorded end, nil when there is no record.
func (d *Dir) LoadExit() (*Exit, error) {
	data, err := readAt(d.fd, ExitFile, nil)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	var e Exit
	if err == nil {
		err = lazyjson.Unmarshal(data, &e)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s/%s: %w", d.Path, ExitFile, err)
	}
	return &e, nil
}

// ZombieStatus returns the wait status of a process that has ended and was not
// waited for yet: field 52 of /proc/PID/stat. ok is false when it runs, is gone, or
// when the kernel does not tell the caller: it then shows 0, so the caller's right
// to know is looked at first, by a link behind the same check (ptrace(2),
// PTRACE_MODE_READ_FSCREDS).
func ZombieStatus(pid int, startTime uint64) (ws unix.WaitStatus, ok bool) {
	var buf [128]byte
	if _, err := unix.Readlink(fmt.Sprintf("/proc/%d/ns/user", pid), buf[:]); err != nil {
		return 0, false
	}
	st, err := readStat(pid)
	if err != nil || st.state != 'Z' || st.startTime != startTime {
		return 0, false
	}
	return unix.WaitStatus(st.exitCode), true
}
