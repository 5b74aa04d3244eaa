package rootfs

import (
	"syscall"

	"berth/internal/linux"
)

// dropKernelFS unmounts every procfs and sysfs outside the rootfs, or covers it
// where it is locked. Only --no-pivot reads the mount table.
func (r *Root) dropKernelFS() error {
	p, err := r.procfs()
	if err != nil {
		return err
	}
	fd, err := p.OpenThreadSelf("mountinfo", syscall.O_RDONLY)
	if err != nil {
		return linux.Wrap("open mountinfo", err)
	}
	table, err := readAll(fd)
	closeFD(fd)
	if err != nil {
		return linux.Wrap("read mountinfo", err)
	}
	root := cleanPath(r.plan.Path)
	for len(table) > 0 {
		var line string
		line, table = cutAt(table, '\n')
		point, fstype := parseMount(line)
		if fstype != "proc" && fstype != "sysfs" || point == root || hasPrefix(point, root+"/") {
			continue
		}
		err := syscall.Unmount(point, syscall.MNT_DETACH|linux.UmountNofollow)
		switch err {
		case nil, syscall.ENOENT: // ENOENT: it was below one that is gone now
		case syscall.EINVAL, syscall.EPERM:
			// Locked, or no mount point any more.
			if e := syscall.Mount("tmpfs", point, "tmpfs", syscall.MS_RDONLY, ""); e != nil && e != syscall.ENOENT {
				return linux.Wrap("cover "+point, e)
			}
		default:
			return linux.Wrap("unmount "+point, err)
		}
	}
	return nil
}

// parseMount takes the mount point and the type out of a line of mountinfo
// (proc_pid_mountinfo(5)).
func parseMount(line string) (point, fstype string) {
	for i := 0; line != ""; i++ {
		var field string
		field, line = cutAt(line, ' ')
		if i == 4 {
			point = unescape(field)
		}
		if i > 5 && field == "-" {
			fstype, _ = cutAt(line, ' ')
			return point, fstype
		}
	}
	return "", ""
}

// unescape undoes the \ooo of mountinfo.
func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

func cutAt(s string, c byte) (before, after string) {
	for i := 0; i < len(s); i++ {
		if s[i] == c {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func readAll(fd int) (string, error) {
	var all []byte
	buf := make([]byte, 16384)
	for {
		n, err := syscall.Read(fd, buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return string(all), err
		}
		all = append(all, buf[:n]...)
	}
}
