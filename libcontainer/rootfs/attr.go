package rootfs

import (
	"errors"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// A bind keeps the flags of its source unless the config names them: "nosuid"
// sets that one flag, "suid" clears it, and a bind without flags changes nothing.
// runc instead sets exactly the flags named and thereby drops a nosuid or noexec
// of the host's mount that the config was silent about. Keeping is the safer
// reading, what mount(8) does today, and needs no special case in a user
// namespace, where the kernel locks the flags of the host's mounts anyway.

// setAttrs gives the mount at fd the attributes of m, the recursive ones last.
func (r *Root) setAttrs(fd int, m *wire.Mount) error {
	if r.legacy {
		return r.setAttrsLegacy(fd, m)
	}
	if err := setAttr(fd, 0, m.AttrSet, m.AttrClr); err != nil {
		return err
	}
	return setAttr(fd, linux.AtRecursive, m.RecAttrSet, m.RecAttrClr)
}

// setAttr is mount_setattr(2) with an explanation of its EPERM.
func setAttr(fd int, flags uint, set, clr uint64) error {
	set, clr = normalAtime(set, clr)
	if set|clr == 0 {
		return nil
	}
	err := linux.MountSetattr(fd, flags, &linux.MountAttr{AttrSet: set, AttrClr: clr})
	if err == syscall.EPERM {
		if names := lockedNames(fd, set, clr); names != "" {
			return linux.Wrap("clear mount flags "+names+", which the source's mount has and its user namespace locks", err)
		}
	}
	return linux.Wrap("set mount attributes", err)
}

// normalAtime completes the mask of the atime modes, which mount_setattr(2) takes
// as a whole only.
func normalAtime(set, clr uint64) (uint64, uint64) {
	if (set|clr)&linux.MountAttrAtime != 0 {
		clr |= linux.MountAttrAtime
	}
	return set, clr
}

// effectiveAttrs are the attributes of a mount that has no mounts below it.
func effectiveAttrs(m *wire.Mount) uint64 {
	set := m.AttrSet
	_, clr := normalAtime(m.RecAttrSet, m.RecAttrClr)
	return set&^clr | m.RecAttrSet
}

// flagNames pairs the attributes with mount(2)'s flags and their names. The ST_*
// flags of statfs(2) have the values of MS_*, but for relatime and nosymfollow.
var flagNames = [...]struct {
	attr uint64
	ms   uintptr
	st   int64
	name string
}{
	{linux.MountAttrRdonly, syscall.MS_RDONLY, 1, "ro"},
	{linux.MountAttrNosuid, syscall.MS_NOSUID, 2, "nosuid"},
	{linux.MountAttrNodev, syscall.MS_NODEV, 4, "nodev"},
	{linux.MountAttrNoexec, syscall.MS_NOEXEC, 8, "noexec"},
	{linux.MountAttrNoatime, syscall.MS_NOATIME, 1024, "noatime"},
	{linux.MountAttrNodiratime, syscall.MS_NODIRATIME, 2048, "nodiratime"},
	{linux.MountAttrNosymfollow, linux.MS_NOSYMFOLLOW, 8192, "nosymfollow"},
}

// attrFlags turns attributes into mount(2)'s flags.
func attrFlags(attrs uint64) (flags uintptr) {
	for _, f := range flagNames {
		if attrs&f.attr != 0 {
			flags |= f.ms
		}
	}
	if attrs&linux.MountAttrStrictatime != 0 {
		flags |= syscall.MS_STRICTATIME
	}
	return flags
}

// lockedNames names the flags that the mount at fd has and the change would take
// from it.
func lockedNames(fd int, set, clr uint64) (names string) {
	have, err := mountAttrs(fd)
	if err != nil {
		return ""
	}
	for _, f := range flagNames {
		if have&clr&^set&f.attr == 0 {
			continue
		}
		if names != "" {
			names += ","
		}
		names += f.name
	}
	return names
}

// mountAttrs reads the attributes of the mount at fd by statfs(2).
func mountAttrs(fd int) (attrs uint64, err error) {
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &fs); err != nil {
		return 0, err
	}
	const stValid, stRelatime = 0x20, 4096
	if fs.Flags&stValid == 0 {
		return 0, errors.New("statfs gives no mount flags")
	}
	for _, f := range flagNames {
		if fs.Flags&f.st != 0 {
			attrs |= f.attr
		}
	}
	if fs.Flags&(stRelatime|1024) == 0 {
		attrs |= linux.MountAttrStrictatime
	}
	return attrs, nil
}
