package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"berth/internal/linux"
	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// times are what an entry gives its file.
type times struct{ access, modify syscall.Timespec }

// both is what utimensat(2) takes.
func (t times) both() []unix.Timespec {
	return []unix.Timespec{unix.Timespec(t.access), unix.Timespec(t.modify)}
}

// entryTimes: an archive without access times, as layers are, gives the time of
// modification for both, so that the result does not depend on the day.
func entryTimes(h *tar.Header) times {
	modify := timespec(h.ModTime)
	if h.AccessTime.IsZero() {
		return times{modify, modify}
	}
	return times{timespec(h.AccessTime), modify}
}

// timespec keeps within what utimensat(2) takes; file systems clamp further.
func timespec(t time.Time) syscall.Timespec {
	if t.IsZero() {
		return syscall.Timespec{}
	}
	return syscall.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

// xattr is an extended attribute that may be set.
type xattr struct{ name, value string }

const paxXattr = "SCHILY.xattr."

// xattrs picks the attributes of an entry that a layer may set.
func (a *applier) xattrs(h *tar.Header) ([]xattr, error) {
	if len(h.PAXRecords) == 0 {
		return nil, nil
	}
	var out []xattr
	size := 0
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, paxXattr)
		if !ok {
			continue
		}
		if size += len(name) + len(value); size > a.limits.Xattrs {
			return nil, &LimitError{"bytes of extended attributes of " + quote(h.Name), int64(a.limits.Xattrs)}
		}
		// XATTR_NAME_MAX and XATTR_SIZE_MAX of the kernel.
		if name == "" || len(name) > 255 || strings.IndexByte(name, 0) >= 0 || len(value) > 64<<10 {
			return nil, &safepath.Refusal{Object: quote(h.Name), Reason: "the name or the size of an extended attribute is not valid"}
		}
		if allowedXattr(name, a.opts.UserNS) {
			out = append(out, xattr{name, value})
		}
	}
	return out, nil
}

// allowedXattr tells what may be taken from an archive, and put into one.
//
// overlayfs's own attributes are instructions to the host's kernel: one from an
// archive would redirect a directory to any other of the stack, or hide files of the
// layers below without a whiteout that tools see. Labels of SELinux, AppArmor and
// IMA belong to the host's policy.
func allowedXattr(name string, userNS bool) bool {
	space, rest, _ := strings.Cut(name, ".")
	switch space {
	case "user":
		return !isOverlayXattr(rest)
	case "trusted":
		return !userNS && !isOverlayXattr(rest)
	case "security":
		return rest == "capability"
	case "system":
		return rest == "posix_acl_access" || rest == "posix_acl_default"
	}
	return false
}

func isOverlayXattr(rest string) bool {
	return rest == "overlay" || strings.HasPrefix(rest, "overlay.")
}

// setXattrs sets attributes of an open file. A file system that has no attributes
// of that kind goes without, but never without file capabilities: a program would
// fail that works elsewhere.
func setXattrs(fd int, list []xattr) error {
	for _, x := range list {
		err := linux.Fsetxattr(fd, x.name, []byte(x.value))
		if errors.Is(err, syscall.ENOTSUP) && !strings.HasPrefix(x.name, "security.") {
			continue
		}
		if err != nil {
			return fmt.Errorf("set extended attribute %s: %w", quote(x.name), err)
		}
	}
	return nil
}

// dropXattrs removes the attributes of an open file that a layer may carry and keep
// does not name.
func dropXattrs(fd int, keep []xattr, userNS bool) error {
	old, err := readXattrs(fd, userNS)
	if err != nil {
		return err
	}
	for _, x := range old {
		if slices.ContainsFunc(keep, func(k xattr) bool { return k.name == x.name }) {
			continue
		}
		if err := unix.Fremovexattr(fd, x.name); err != nil && !errors.Is(err, syscall.ENODATA) {
			return fmt.Errorf("remove extended attribute %s: %w", quote(x.name), err)
		}
	}
	return nil
}

// hasDefaultACL tells that files in the directory will not get the modes they are
// made with.
func hasDefaultACL(list []xattr) bool {
	return slices.ContainsFunc(list, func(x xattr) bool { return x.name == "system.posix_acl_default" })
}

// setOpaque marks a directory of overlay's format as hiding those below it.
func (a *applier) setOpaque(fd int) error {
	name := opaqueMarks[a.opts.Format]
	err := linux.Fsetxattr(fd, name, []byte("y"))
	if errors.Is(err, syscall.ENOTSUP) && a.opts.Format == OverlayUser {
		return fmt.Errorf("set %s: the file system has no attributes of users (tmpfs: since Linux 6.6): %w", name, err)
	}
	if err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}

// chown gives an open file to its owner.
func (a *applier) chown(fd, uid, gid int) error {
	if a.opts.Squash {
		return nil
	}
	return a.explainOwner(unix.Fchown(fd, uid, gid), uid, gid)
}

// explainOwner says what EINVAL and EPERM mean here.
func (a *applier) explainOwner(err error, uid, gid int) error {
	switch {
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("set owner %d:%d: the user namespace does not map it, /etc/subuid and /etc/subgid give too few ids: %w", uid, gid, err)
	case err != nil:
		return fmt.Errorf("set owner %d:%d: %w", uid, gid, err)
	}
	return nil
}

// readUmask reads the process's umask, which umask(2) would change for all threads.
func readUmask() (uint32, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("Umask:")); ok {
			mask, err := strconv.ParseUint(string(bytes.TrimSpace(rest)), 8, 32)
			return uint32(mask), err
		}
	}
	// Before v4.7: set every mode explicitly.
	return 0o7777, nil
}
