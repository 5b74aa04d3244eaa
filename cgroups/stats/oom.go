package stats

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"berth/cgroups/cgfile"

	"golang.org/x/sys/unix"
)

// OOMWatch notices that a container ran out of the memory it may have.
type OOMWatch struct {
	dir *cgfile.Dir // the Reader's
	// fd is an eventfd on v1, memory.events on v2.
	fd int
	v2 bool
	// ended says that the cgroup was removed: its files would be ready for ever.
	ended bool
	kills uint64 // v2: oom_kill so far
}

// WatchOOM begins to watch; nil without an error when there is no memory
// controller. The caller closes the watch before the Reader.
func (r *Reader) WatchOOM() (*OOMWatch, error) {
	if d := r.v1["memory"]; d != nil {
		return watchV1(d)
	}
	if r.v2 != nil && r.v2.Exists("memory.events") {
		return watchV2(r.v2)
	}
	return nil, nil
}

// watchV1 connects an eventfd to memory.oom_control (admin-guide/cgroup-v1/memory,
// section 10). The kernel holds on to both files by itself.
func watchV1(d *cgfile.Dir) (*OOMWatch, error) {
	control, err := d.OpenFile("memory.oom_control", unix.O_RDONLY)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open %s/memory.oom_control: %w", d.Path, err)
	}
	defer func() { _ = unix.Close(control) }() // never written to
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	if err := d.Write("cgroup.event_control", strconv.Itoa(event)+" "+strconv.Itoa(control)); err != nil {
		_ = unix.Close(event) // nothing is in it
		if absent(err) {
			return nil, nil
		}
		return nil, err
	}
	return &OOMWatch{dir: d, fd: event}, nil
}

// watchV2 opens memory.events, of whose changes poll(2) tells by POLLPRI.
func watchV2(d *cgfile.Dir) (*OOMWatch, error) {
	fd, err := d.OpenFile("memory.events", unix.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("open %s/memory.events: %w", d.Path, err)
	}
	w := &OOMWatch{dir: d, fd: fd, v2: true}
	if _, err := w.Check(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// PollFd is what to poll for. After an event Check must be called, or the event
// stays.
func (w *OOMWatch) PollFd() unix.PollFd {
	if w == nil || w.ended {
		return unix.PollFd{Fd: -1} // poll(2) skips it
	}
	if w.v2 {
		return unix.PollFd{Fd: int32(w.fd), Events: unix.POLLPRI}
	}
	return unix.PollFd{Fd: int32(w.fd), Events: unix.POLLIN}
}

// Check tells whether memory ran out since the last Check. It does not block. A
// cgroup that was removed has run out of nothing.
func (w *OOMWatch) Check() (bool, error) {
	switch {
	case w == nil:
		return false, nil
	case w.v2:
		return w.checkV2()
	}
	return w.checkV1()
}

// checkV1: the removal of the cgroup is one more event.
func (w *OOMWatch) checkV1() (bool, error) {
	var buf [8]byte
	_, err := unix.Read(w.fd, buf[:])
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read eventfd of %s/memory.oom_control: %w", w.dir.Path, err)
	}
	n := binary.NativeEndian.Uint64(buf[:])
	return n > 1 || w.dir.Exists("memory.oom_control"), nil
}

// checkV2: memory.events changes for other reasons, too.
func (w *OOMWatch) checkV2() (bool, error) {
	var buf [512]byte
	n, err := unix.Pread(w.fd, buf[:], 0)
	if gone(err) {
		w.ended = true
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s/memory.events: %w", w.dir.Path, err)
	}
	kills, _ := cgfile.Key(string(buf[:n]), "oom_kill")
	before := w.kills
	w.kills = kills
	return kills > before, nil
}

// Close ends the watch.
func (w *OOMWatch) Close() {
	if w != nil {
		_ = unix.Close(w.fd) // an eventfd, or a file that was only read
	}
}
