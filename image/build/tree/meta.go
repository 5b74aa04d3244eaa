package tree

import (
	"errors"
	"fmt"
	"strings"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// ownerOf is whom the copy of a file belongs to.
func (w *writer) ownerOf(st *unix.Stat_t) Owner {
	switch {
	case w.to.OneOwner:
		return Owner{}
	case w.chown != nil:
		return *w.chown
	case w.forced != nil:
		return *w.forced
	}
	return Owner{UID: int(st.Uid), GID: int(st.Gid)}
}

// finish gives a copied file the attributes and metadata of its source. Extended
// attributes come after the owner: chown(2) drops file capabilities.
func (w *writer) finish(to, from int, st *unix.Stat_t) error {
	if err := w.own(to, st); err != nil {
		return err
	}
	if err := w.copyXattrs(from, to); err != nil {
		return err
	}
	return w.stamp(to, st)
}

// metaOf gives an open file or directory owner, mode and time of a source.
func (w *writer) metaOf(to int, st *unix.Stat_t) error {
	if err := w.own(to, st); err != nil {
		return err
	}
	return w.stamp(to, st)
}

// own sets owner, then mode: chown(2) drops the set-id bits.
func (w *writer) own(to int, st *unix.Stat_t) error {
	o := w.ownerOf(st)
	if err := unix.Fchown(to, o.UID, o.GID); err != nil {
		return fmt.Errorf("chown to %d:%d: %w", o.UID, o.GID, err)
	}
	if err := unix.Fchmod(to, w.modeOf(st)); err != nil {
		return fmt.Errorf("chmod: %w", err)
	}
	return nil
}

func (w *writer) modeOf(st *unix.Stat_t) uint32 {
	mode := w.chmod.Apply(st.Mode, isDir(st))
	if w.to.Inert {
		mode &^= unix.S_ISUID | unix.S_ISGID
	}
	return mode
}

func (w *writer) stamp(to int, st *unix.Stat_t) error {
	return w.setTime(to, w.mtime(st))
}

func (w *writer) mtime(st *unix.Stat_t) unix.Timespec {
	if w.time != nil {
		return unix.NsecToTimespec(w.time.UnixNano())
	}
	return st.Mtim
}

func (w *writer) setTime(to int, t unix.Timespec) error {
	ts := syscallTime(t)
	if err := linux.Futimens(to, ts, ts); err != nil {
		return fmt.Errorf("set times: %w", err)
	}
	return nil
}

// metaAt is metaOf for what cannot be opened: links and devices. A link has no mode.
func (w *writer) metaAt(dir int, name string, st *unix.Stat_t) error {
	o := w.ownerOf(st)
	if err := unix.Fchownat(dir, name, o.UID, o.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("chown to %d:%d: %w", o.UID, o.GID, err)
	}
	if !isLink(st) {
		if err := unix.Fchmodat(dir, name, w.modeOf(st), 0); err != nil {
			return fmt.Errorf("chmod: %w", err)
		}
	}
	t := w.mtime(st)
	return unix.UtimesNanoAt(dir, name, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW)
}

// copyXattrs copies what belongs to the file itself. What belongs to the machine
// stays: labels, and overlayfs' own bookkeeping. An attribute that the target cannot
// hold is left out, as docker does.
func (w *writer) copyXattrs(from, to int) error {
	raw, err := linux.Flistxattr(from)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	for _, name := range strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00") {
		if !keepsXattr(name) || (w.to.Inert && strings.HasPrefix(name, "security.")) {
			continue
		}
		value, err := linux.Fgetxattr(from, name)
		if err != nil {
			continue
		}
		err = linux.Fsetxattr(to, name, value)
		if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

func keepsXattr(name string) bool {
	switch {
	case name == "", strings.HasPrefix(name, "user.overlay."), strings.HasPrefix(name, "trusted."):
		return false
	case strings.HasPrefix(name, "user."), name == "security.capability", strings.HasPrefix(name, "system.posix_acl_"):
		return true
	}
	return false
}
