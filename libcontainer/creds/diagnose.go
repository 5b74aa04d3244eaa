package creds

import (
	"strconv"
	"syscall"
)

// maxNesting is how many "#!" interpreters may be scripts themselves: the kernel
// gives up with ELOOP after that.
const maxNesting = 4

// diagnose looks at the beginning of the executable path and returns why execve(2)
// of it may fail, as part of a sentence, or "" when nothing is amiss. It is a
// guess, as binfmt_misc may know better: use it only when execve did fail. It has
// to be made before, while there is no seccomp filter that forbids open.
func diagnose(path string) string { return view{root: here}.diagnose(path, 0) }

func (v view) diagnose(path string, depth int) string {
	fd := v.openRegular(path)
	if fd < 0 {
		return ""
	}
	defer closeFd(fd)
	if v.root == here && noexec(path) {
		return quote(path) + " lies on a file system mounted noexec"
	}
	f := inspect(func(off int64, p []byte) int {
		n, err := syscall.Pread(fd, p, off)
		if err != nil {
			return 0
		}
		return n
	})
	switch {
	case f.interp == "":
	case f.foreign:
		return quote(path) + " " + f.fault
	case f.script:
		if cause := v.missingInterpreter(path, f.interp); cause != "" || depth == maxNesting {
			return cause
		}
		return v.diagnose(f.interp, depth+1)
	default:
		if cause := v.unusable("dynamic loader "+quote(f.interp)+" of "+quote(path), f.interp); cause != "" {
			return cause
		}
	}
	if f.fault == "" {
		return ""
	}
	return quote(path) + " " + f.fault
}

// openRegular opens a regular file for reading; -1 when it is none or cannot be
// read. Opening anything else may block or act on a device.
func (v view) openRegular(path string) int {
	st, err := v.stat(path)
	if err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return -1
	}
	fd, err := v.open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY)
	if err != nil {
		return -1
	}
	return fd
}

func (v view) missingInterpreter(path, interp string) string {
	cause := v.unusable("interpreter "+quote(interp)+" of "+quote(path), interp)
	if cause != "" && interp[len(interp)-1] == '\r' {
		return `the "#!" line of ` + quote(path) + " ends in a carriage return: convert the script's line ends to LF"
	}
	return cause
}

// unusable says why path cannot be executed, "" when it can.
func (v view) unusable(what, path string) string {
	st, err := v.stat(path)
	switch {
	case err != nil && v.hidden(path):
		return ""
	case err == syscall.ENOENT || err == syscall.ENOTDIR:
		return what + " does not exist"
	case err != nil:
		return what + " cannot be reached"
	case st.Mode&syscall.S_IFMT != syscall.S_IFREG:
		return what + " is not a regular file"
	case !v.mayExecute(path, &st):
		return what + " is not executable"
	}
	return ""
}

func quote(s string) string { return strconv.Quote(s) }
