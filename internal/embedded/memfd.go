package embedded

import "golang.org/x/sys/unix"

// Memfd makes a close-on-exec file in memory that can be executed and sealed. It asks
// for MFD_EXEC where the kernel knows it (since v6.3), which vm.memfd_noexec demands.
func Memfd(name string) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate(name, flags)
	}
	return fd, err
}

// Seal lets nobody change the content of a Memfd any more, nor the seals (fcntl(2),
// F_ADD_SEALS).
func Seal(fd int) error {
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	return err
}
