package linux

import (
	"syscall"
	"unsafe"
)

// ifreq is struct ifreq of netdevice(7) with its flags; 40 bytes where pointers have
// eight, the kernel reads no more elsewhere.
type ifreq struct {
	name  [16]byte
	flags uint16
	_     [22]byte
}

// NetDeviceUp brings a device of the caller's network namespace up (netdevice(7)),
// which takes CAP_NET_ADMIN there. The socket is only a way to the ioctls: one of
// AF_UNIX needs no protocol that the kernel may lack.
func NetDeviceUp(name string) error {
	sock, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return Wrap("socket", err)
	}
	defer func() { _ = syscall.Close(sock) }() // nothing was written to it
	var req ifreq
	copy(req.name[:len(req.name)-1], name)
	if err := ioctlIfreq(sock, syscall.SIOCGIFFLAGS, &req); err != nil {
		return Wrap("read flags", err)
	}
	if req.flags&syscall.IFF_UP != 0 {
		return nil
	}
	req.flags |= syscall.IFF_UP
	return Wrap("set flags", ioctlIfreq(sock, syscall.SIOCSIFFLAGS, &req))
}

func ioctlIfreq(sock int, request uintptr, req *ifreq) error {
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(sock), request, uintptr(unsafe.Pointer(req)))
	if e != 0 {
		return e
	}
	return nil
}
