package rootfs

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// WriteSysctls writes the kernel parameters through proc, each value as it is and
// in one write. Whatever a container mounted on /proc is not reached
// (CVE-2025-52881).
func WriteSysctls(proc *safepath.Proc, sysctls []wire.Sysctl) error {
	for i := range sysctls {
		if err := writeSysctl(proc, &sysctls[i]); err != nil {
			return err
		}
	}
	return nil
}

func writeSysctl(proc *safepath.Proc, s *wire.Sysctl) error {
	op := "sysctl " + sysctlName(s.Path) + ": write " + strconv.Quote(s.Value)
	if !plainPath(s.Path) {
		return linux.Wrap(op, &safepath.Refusal{Object: s.Path, Reason: "it is not the plain path of a kernel parameter"})
	}
	fd, err := proc.Open("sys/"+s.Path, syscall.O_WRONLY)
	if err != nil {
		return linux.Wrap(op, err)
	}
	defer closeFD(fd)
	for {
		n, err := syscall.Write(fd, []byte(s.Value))
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return linux.Wrap(op, err)
		case n != len(s.Value):
			return linux.Wrap(op, syscall.EIO)
		default:
			return nil
		}
	}
}

// plainPath tells a relative path without empty, "." or ".." components. The
// kernel would keep net/../kernel/x below /proc, but it is not the parameter that
// the parent allowed.
func plainPath(path string) bool {
	return path != "" && cleanPath(path) == "/"+path
}

// sysctlName writes path with dots, and dots in it (interface names) as slashes,
// as sysctl(8) does.
func sysctlName(path string) string {
	name := []byte(path)
	for i, c := range name {
		switch c {
		case '/':
			name[i] = '.'
		case '.':
			name[i] = '/'
		}
	}
	return string(name)
}
