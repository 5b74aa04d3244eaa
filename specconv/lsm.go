package specconv

import (
	"syscall"

	"berth/internal/readfile"
)

const selinuxMagic = 0xf97cff8c

func selinuxEnabled() bool {
	var st syscall.Statfs_t
	return syscall.Statfs("/sys/fs/selinux", &st) == nil && uint32(st.Type) == selinuxMagic
}

func apparmorEnabled() bool {
	text, err := readfile.Kernel("/sys/module/apparmor/parameters/enabled")
	return err == nil && len(text) > 0 && text[0] == 'Y'
}
