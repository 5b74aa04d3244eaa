package creds

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
)

const (
	maxPasswd = 1 << 20
	maxLine   = 4096
)

// Home returns the home directory of uid according to /etc/passwd below the root
// directory of the calling process, "/" when the file does not say. Only the
// numeric field counts: an id is never looked up as a name (CVE-2016-3697).
//
// The file is the container's: it is opened without following magic links, must
// be a regular file, and is read up to 1 MiB, lines up to 4 KiB.
func Home(uid uint32) string {
	fd, err := openPasswd()
	if err != nil {
		return "/"
	}
	defer closeFd(fd)
	return homeOf(uid, func(p []byte) int {
		n, err := syscall.Read(fd, p)
		if err != nil {
			return 0
		}
		return n
	})
}

func openPasswd() (int, error) {
	root, err := linux.Openat(linux.AT_FDCWD, "/", linux.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return -1, err
	}
	defer closeFd(root)
	fd, err := safepath.OpenInRoot(root, "etc/passwd", syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY)
	if err != nil {
		return -1, err
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		closeFd(fd)
		return -1, syscall.EINVAL
	}
	return fd, nil
}

// homeOf finds uid's home in the passwd(5) lines that read delivers; read
// returns 0 at the end.
func homeOf(uid uint32, read func([]byte) int) string {
	want := strconv.FormatUint(uint64(uid), 10)
	chunk := make([]byte, maxLine)
	line := make([]byte, 0, maxLine)
	tooLong := false
	for total := 0; total < maxPasswd; {
		n := read(chunk)
		if n <= 0 {
			break
		}
		total += n
		for _, b := range chunk[:n] {
			switch {
			case b == '\n':
				if home, ok := homeIn(line, want); ok && !tooLong {
					return home
				}
				line, tooLong = line[:0], false
			case len(line) == cap(line):
				tooLong = true
			default:
				line = append(line, b)
			}
		}
	}
	if home, ok := homeIn(line, want); ok && !tooLong {
		return home
	}
	return "/"
}

// homeIn returns the sixth field of line when the third is uid. A home that does
// not begin with a slash or holds a NUL, which no environment can, counts as "/".
func homeIn(line []byte, uid string) (string, bool) {
	var fields [7][]byte
	n, start := 0, 0
	for i := 0; i <= len(line) && n < len(fields); i++ {
		if i == len(line) || line[i] == ':' {
			fields[n] = line[start:i]
			n++
			start = i + 1
		}
	}
	if n < 6 || string(fields[2]) != uid {
		return "", false
	}
	home := string(fields[5])
	if home == "" || home[0] != '/' {
		return "/", true
	}
	for i := 0; i < len(home); i++ {
		if home[i] == 0 {
			return "/", true
		}
	}
	return home, true
}

// closeFd closes an fd that was only read from; nothing can be lost.
func closeFd(fd int) { _ = syscall.Close(fd) }
