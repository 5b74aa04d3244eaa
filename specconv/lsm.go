package specconv

import (
	"berth/internal/readfile"

	"syscall"
)

const selinuxMagic = 0xf97cff8c

func selinuxEnabled() bool {
	var st syscall.Statfs_t
	return syscall.Statfs("/sys/fs/selinux", &st) == nil && uint32(st.Type) == selinuxMagic
}

func apparmorEnabled() bool {
	text, err := readfile.Read("/sys/module/apparmor/parameters/enabled", 64<<10)
	return err == nil && len(text) > 0 && text[0] == 'Y'
}
