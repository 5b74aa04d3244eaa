package specconv

import (
	"slices"
	"syscall"
	"testing"

	"berth/internal/linux"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// specOptions is the table of config.md, spec 1.3 (with rnodev, which its table
// forgets and mount_setattr(2) has).
var specOptions = []string{
	"async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion", "lazytime", "loud", "mand",
	"noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid",
	"nosymfollow", "private", "ratime", "rbind", "rdev", "rdiratime", "relatime", "remount", "rexec", "rnoatime", "rnodev",
	"rnodiratime", "rnoexec", "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw",
	"rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw", "shared", "silent", "slave", "strictatime",
	"suid", "symfollow", "sync", "tmpcopyup", "unbindable", "idmap", "ridmap",
}

func TestOptionTable(t *testing.T) {
	for _, name := range specOptions {
		if findMountOption(name) == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for i := range mountOptions {
		o := &mountOptions[i]
		if i > 0 && mountOptions[i-1].name >= o.name {
			t.Errorf("%s is out of order", o.name)
		}
		if o.attr == 0 && o.super == 0 && o.propagation == 0 && o.flag == 0 {
			t.Errorf("%s does nothing", o.name)
		}
	}
}

// TestOptions: the last word wins, and a change of the access time clears the
// whole field, or mount_setattr(2) fails.
func TestOptions(t *testing.T) {
	const (
		ro, nosuid, noexec   = linux.MountAttrRdonly, linux.MountAttrNosuid, linux.MountAttrNoexec
		atime, noatime       = linux.MountAttrAtime, linux.MountAttrNoatime
		strict, nodir, nosym = linux.MountAttrStrictatime, linux.MountAttrNodiratime, linux.MountAttrNosymfollow
	)
	for _, test := range []struct {
		options []string
		want    wire.Mount
	}{
		{[]string{"ro"}, wire.Mount{AttrSet: ro, SuperFlags: syscall.MS_RDONLY}},
		{[]string{"ro", "rw"}, wire.Mount{AttrClr: ro}},
		{[]string{"rw", "ro"}, wire.Mount{AttrSet: ro, SuperFlags: syscall.MS_RDONLY}},
		{[]string{"nosuid", "noexec", "exec"}, wire.Mount{AttrSet: nosuid, AttrClr: noexec}},
		{[]string{"exec", "noexec"}, wire.Mount{AttrSet: noexec}},
		{[]string{"noatime"}, wire.Mount{AttrSet: noatime, AttrClr: atime}},
		{[]string{"noatime", "strictatime"}, wire.Mount{AttrSet: strict, AttrClr: atime}},
		{[]string{"strictatime", "relatime"}, wire.Mount{AttrClr: atime}},
		{[]string{"strictatime", "nostrictatime"}, wire.Mount{AttrClr: atime}},
		{[]string{"nodiratime", "nosymfollow"}, wire.Mount{AttrSet: nodir | nosym}},
		{[]string{"rro", "rnoatime"}, wire.Mount{RecAttrSet: ro | noatime, RecAttrClr: atime}},
		{[]string{"rro", "rrw", "rrelatime"}, wire.Mount{RecAttrClr: ro | atime}},
		{[]string{"sync", "dirsync", "lazytime", "iversion", "silent", "mand"}, wire.Mount{SuperFlags: syscall.MS_SYNCHRONOUS |
			syscall.MS_DIRSYNC | linux.MS_LAZYTIME | syscall.MS_I_VERSION | syscall.MS_SILENT | syscall.MS_MANDLOCK}},
		{[]string{"sync", "async", "silent", "loud", "defaults"}, wire.Mount{}},
		{[]string{"slave", "rshared"}, wire.Mount{Propagation: []uint64{syscall.MS_SLAVE, syscall.MS_SHARED | syscall.MS_REC}}},
		{[]string{"size=1k", "ro", "mode=755", ""}, wire.Mount{AttrSet: ro, SuperFlags: syscall.MS_RDONLY, Data: "size=1k,mode=755"}},
	} {
		c := &converter{}
		var w wire.Mount
		c.mountWords(0, &specs.Mount{Options: test.options}, &w)
		if w.AttrSet != test.want.AttrSet || w.AttrClr != test.want.AttrClr || w.RecAttrSet != test.want.RecAttrSet ||
			w.RecAttrClr != test.want.RecAttrClr || w.SuperFlags != test.want.SuperFlags || w.Data != test.want.Data ||
			!slices.Equal(w.Propagation, test.want.Propagation) || len(c.faults) > 0 {
			t.Errorf("%q\ngot  %+v\nwant %+v", test.options, w, test.want)
		}
	}
}
