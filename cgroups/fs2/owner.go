package fs2

import (
	"errors"
	"os"
	"strings"

	"berth/cgroups/cgfile"

	"golang.org/x/sys/unix"
)

// handOver gives the cgroup to Config.Owner: the directory, so that children can be
// made, and the files the kernel says belong to a delegated cgroup (cgroups(7)). The
// limits stay the host's.
func (m *Manager) handOver(d *cgfile.Dir) error {
	if m.cfg.Owner == 0 {
		return nil
	}
	err := d.Chown(".", m.cfg.Owner)
	for name := range strings.FieldsSeq(delegated()) {
		if err != nil {
			break
		}
		// Which of them are there depends on the controllers.
		if err = d.Chown(name, m.cfg.Owner); cgfile.Missing(err) {
			err = nil
		}
	}
	// Without root only the caller's own id can be given anything, and has it already.
	if m.cfg.Rootless && errors.Is(err, unix.EPERM) {
		return nil
	}
	return err
}

// delegated lists the files to give away, as the kernel does since v4.15.
func delegated() string {
	text, err := os.ReadFile("/sys/kernel/cgroup/delegate")
	if err != nil {
		return "cgroup.procs cgroup.subtree_control cgroup.threads"
	}
	return string(text)
}
