package specconv

import (
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// mountOption is one word of mounts[].options. attr bits go to mount_setattr(2),
// super bits to the superblock; an option either sets or clears them.
type mountOption struct {
	name        string
	clears      bool
	recursive   bool
	attr        uint64
	super       uint64
	propagation uint64
	flag        mountFlag
}

// mountFlag are options that are neither attributes nor superblock flags.
type mountFlag uint16

const (
	flagBind mountFlag = 1 << iota
	flagRbind
	flagRemount
	flagTmpCopyUp
	flagIDMap
	flagRIDMap
	flagCopySymlink
	flagSrcNofollow
	flagDestNofollow
	flagNothing // defaults, loud and the like: the state a mount has anyway
)

// mountOptions is every option word berth knows, in the order features prints
// them. All others are data for the file system.
var mountOptions = [...]mountOption{
	{name: "async", clears: true, super: syscall.MS_SYNCHRONOUS},
	{name: "atime", clears: true, attr: linux.MountAttrNoatime},
	{name: "bind", flag: flagBind},
	{name: "copy-symlink", flag: flagCopySymlink},
	{name: "defaults", flag: flagNothing},
	{name: "dest-nofollow", flag: flagDestNofollow},
	{name: "dev", clears: true, attr: linux.MountAttrNodev},
	{name: "diratime", clears: true, attr: linux.MountAttrNodiratime},
	{name: "dirsync", super: syscall.MS_DIRSYNC},
	{name: "exec", clears: true, attr: linux.MountAttrNoexec},
	{name: "idmap", flag: flagIDMap},
	{name: "iversion", super: syscall.MS_I_VERSION},
	{name: "lazytime", super: linux.MS_LAZYTIME},
	{name: "loud", clears: true, super: syscall.MS_SILENT},
	{name: "mand", super: syscall.MS_MANDLOCK},
	{name: "noatime", attr: linux.MountAttrNoatime},
	{name: "nodev", attr: linux.MountAttrNodev},
	{name: "nodiratime", attr: linux.MountAttrNodiratime},
	{name: "noexec", attr: linux.MountAttrNoexec},
	{name: "noiversion", clears: true, super: syscall.MS_I_VERSION},
	{name: "nolazytime", clears: true, super: linux.MS_LAZYTIME},
	{name: "nomand", clears: true, super: syscall.MS_MANDLOCK},
	// Since v2.6.30 the kernel takes relatime where nothing else is said, so its
	// opposite leaves relatime as well (mount(8)).
	{name: "norelatime", clears: true, attr: linux.MountAttrAtime},
	{name: "nostrictatime", clears: true, attr: linux.MountAttrStrictatime},
	{name: "nosuid", attr: linux.MountAttrNosuid},
	{name: "nosymfollow", attr: linux.MountAttrNosymfollow},
	{name: "private", propagation: syscall.MS_PRIVATE},
	{name: "ratime", clears: true, recursive: true, attr: linux.MountAttrNoatime},
	{name: "rbind", flag: flagBind | flagRbind},
	{name: "rdev", clears: true, recursive: true, attr: linux.MountAttrNodev},
	{name: "rdiratime", clears: true, recursive: true, attr: linux.MountAttrNodiratime},
	{name: "relatime", clears: true, attr: linux.MountAttrAtime},
	{name: "remount", flag: flagRemount},
	{name: "rexec", clears: true, recursive: true, attr: linux.MountAttrNoexec},
	{name: "ridmap", flag: flagIDMap | flagRIDMap},
	{name: "rnoatime", recursive: true, attr: linux.MountAttrNoatime},
	{name: "rnodev", recursive: true, attr: linux.MountAttrNodev},
	{name: "rnodiratime", recursive: true, attr: linux.MountAttrNodiratime},
	{name: "rnoexec", recursive: true, attr: linux.MountAttrNoexec},
	{name: "rnorelatime", clears: true, recursive: true, attr: linux.MountAttrAtime},
	{name: "rnostrictatime", clears: true, recursive: true, attr: linux.MountAttrStrictatime},
	{name: "rnosuid", recursive: true, attr: linux.MountAttrNosuid},
	{name: "rnosymfollow", recursive: true, attr: linux.MountAttrNosymfollow},
	{name: "ro", attr: linux.MountAttrRdonly, super: syscall.MS_RDONLY},
	{name: "rprivate", propagation: syscall.MS_PRIVATE | syscall.MS_REC},
	{name: "rrelatime", clears: true, recursive: true, attr: linux.MountAttrAtime},
	{name: "rro", recursive: true, attr: linux.MountAttrRdonly},
	{name: "rrw", clears: true, recursive: true, attr: linux.MountAttrRdonly},
	{name: "rshared", propagation: syscall.MS_SHARED | syscall.MS_REC},
	{name: "rslave", propagation: syscall.MS_SLAVE | syscall.MS_REC},
	{name: "rstrictatime", recursive: true, attr: linux.MountAttrStrictatime},
	{name: "rsuid", clears: true, recursive: true, attr: linux.MountAttrNosuid},
	{name: "rsymfollow", clears: true, recursive: true, attr: linux.MountAttrNosymfollow},
	{name: "runbindable", propagation: syscall.MS_UNBINDABLE | syscall.MS_REC},
	{name: "rw", clears: true, attr: linux.MountAttrRdonly, super: syscall.MS_RDONLY},
	{name: "shared", propagation: syscall.MS_SHARED},
	{name: "silent", super: syscall.MS_SILENT},
	{name: "slave", propagation: syscall.MS_SLAVE},
	{name: "src-nofollow", flag: flagSrcNofollow},
	{name: "strictatime", attr: linux.MountAttrStrictatime},
	{name: "suid", clears: true, attr: linux.MountAttrNosuid},
	{name: "symfollow", clears: true, attr: linux.MountAttrNosymfollow},
	{name: "sync", super: syscall.MS_SYNCHRONOUS},
	{name: "tmpcopyup", flag: flagTmpCopyUp},
	{name: "unbindable", propagation: syscall.MS_UNBINDABLE},
}

// findMountOption returns nil for a word that is data for the file system.
func findMountOption(name string) *mountOption {
	for i := range mountOptions {
		if mountOptions[i].name == name {
			return &mountOptions[i]
		}
	}
	return nil
}

// apply lays the option over m; the last word about a bit wins.
func (o *mountOption) apply(m *wire.Mount) {
	if o.recursive {
		m.RecAttrSet, m.RecAttrClr = change(m.RecAttrSet, m.RecAttrClr, o.attr, o.clears)
	} else {
		m.AttrSet, m.AttrClr = change(m.AttrSet, m.AttrClr, o.attr, o.clears)
	}
	if o.clears {
		m.SuperFlags &^= o.super
	} else {
		m.SuperFlags |= o.super
	}
	if o.propagation != 0 {
		m.Propagation = append(m.Propagation, o.propagation)
	}
}

// change returns set and clr after the bits of attr have been set or cleared.
// The three atime modes are one field to the kernel: whoever touches it has to
// clear all of it (mount_setattr(2)).
func change(set, clr, attr uint64, clears bool) (newSet, newClr uint64) {
	if attr == 0 {
		return set, clr
	}
	all := attr
	if attr&linux.MountAttrAtime != 0 {
		all |= linux.MountAttrAtime
	}
	if clears {
		return set &^ all, clr | all
	}
	set = set&^all | attr
	if all != attr {
		return set, clr | all
	}
	return set, clr &^ attr
}
