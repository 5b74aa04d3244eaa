package creds

import (
	"errors"
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
)

// here is the root directory of the calling thread.
const here = -1

// view is a root directory as programs are looked up in it: the caller's own, or
// one that is to become a container's.
type view struct {
	// root is an fd of the directory, or here.
	root int
	// covered tells whether something will be mounted over path; nil: nothing.
	covered func(path string) bool
}

// Check says why a container's program, or a hook, could not be executed; "" when
// nothing is amiss or it cannot be known yet. root is an fd of the root file system,
// or -1 for that of the caller; covered tells whether something will be mounted over
// a path. name is searched in PATH of env unless it has a slash, and found is false
// when it is not there. Ids and capabilities are left out of account: an execute bit
// for anybody will do.
func Check(root int, name string, env []string, covered func(path string) bool) (fault string, found bool) {
	v := view{root: root, covered: covered}
	if hasSlash(name) {
		return v.check(name)
	}
	path, _ := lookupEnv(env, "PATH")
	for more := path != ""; more; {
		var dir string
		dir, path, more = nextDir(path)
		if fault, found := v.check(dir + "/" + name); found {
			return fault, true
		}
	}
	return strconv.Quote(name) + ": " + errNotFound.Error(), false
}

// check looks at one path. One that something is mounted over counts as found.
func (v view) check(path string) (fault string, found bool) {
	st, err := v.stat(path)
	switch {
	case err != nil && v.hidden(path):
		return "", true
	case err != nil:
		return strconv.Quote(path) + ": " + err.Error(), false
	case st.Mode&syscall.S_IFMT == syscall.S_IFDIR:
		return strconv.Quote(path) + ": " + syscall.EISDIR.Error(), true
	case !v.mayExecute(path, &st):
		return strconv.Quote(path) + ": not executable (mode 0" + strconv.FormatUint(uint64(st.Mode&0o777), 8) + ")", true
	}
	return v.diagnose(path, 0), true
}

// hidden tells whether a path that is not there may come with a mount.
func (v view) hidden(path string) bool { return v.covered != nil && v.covered(path) }

func (v view) open(path string, flags int) (int, error) {
	if v.root == here {
		return linux.Openat(linux.AT_FDCWD, path, flags, 0)
	}
	return safepath.OpenInRoot(v.root, path, flags)
}

func (v view) stat(path string) (st syscall.Stat_t, err error) {
	if v.root == here {
		err = linux.Fstatat(linux.AT_FDCWD, path, &st, 0)
		return st, err
	}
	fd, err := v.open(path, linux.O_PATH)
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			return st, errno
		}
		return st, err
	}
	defer closeFd(fd)
	return st, syscall.Fstat(fd, &st)
}

// mayExecute asks for the caller; in another root the user is not known, and a bit
// for anybody is enough.
func (v view) mayExecute(path string, st *syscall.Stat_t) bool {
	if v.root == here {
		return linux.Eaccess(linux.AT_FDCWD, path, accessX) == nil
	}
	return st.Mode&0o111 != 0
}
