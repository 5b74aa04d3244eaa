package launch

import (
	"fmt"
	"strconv"
	"strings"

	"berth/libcontainer/configs"
	"berth/nsenter"

	"golang.org/x/sys/unix"
)

// kinds lists the namespaces in the order in which they are joined; the mount
// namespace last, because paths change their meaning with it.
var kinds = [...]struct {
	flag uintptr
	name string
}{
	{unix.CLONE_NEWUSER, "user"},
	{unix.CLONE_NEWIPC, "ipc"},
	{unix.CLONE_NEWUTS, "uts"},
	{unix.CLONE_NEWNET, "net"},
	{unix.CLONE_NEWPID, "pid"},
	{unix.CLONE_NEWCGROUP, "cgroup"},
	{unix.CLONE_NEWTIME, "time"},
	{unix.CLONE_NEWNS, "mnt"},
}

func kindName(flag uintptr) string {
	for _, k := range kinds {
		if k.flag == flag {
			return k.name
		}
	}
	return strconv.FormatUint(uint64(flag), 16)
}

// joins holds open namespace files until the child has entered them.
type joins struct {
	fds  []int
	host []nsenter.Join
	user *nsenter.Join
	rest []nsenter.Join
	pid  bool
}

func (j *joins) close() {
	for _, fd := range j.fds {
		unix.Close(fd)
	}
}

// openJoins opens the namespaces that have a path, checks that each is of the type
// it is given for, leaves out those the caller is in already (joining one's own
// user namespace is EINVAL), and splits them into those owned by the user
// namespace to join and the others: what the host owns has to be entered while
// the host's capabilities are still held.
func openJoins(list []configs.Namespace) (*joins, error) {
	j := &joins{}
	var userns unix.Stat_t
	for _, k := range kinds {
		for _, ns := range list {
			if ns.Type != k.flag || ns.Path == "" {
				continue
			}
			if err := j.open(ns, k.name, &userns); err != nil {
				j.close()
				return nil, err
			}
		}
	}
	return j, nil
}

func (j *joins) open(ns configs.Namespace, name string, userns *unix.Stat_t) error {
	fd, err := unix.Open(ns.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s namespace %s: %w", name, ns.Path, err)
	}
	j.fds = append(j.fds, fd)
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil {
		return fmt.Errorf("%s namespace %s is not a namespace file: %w", name, ns.Path, err)
	}
	if uintptr(kind) != ns.Type {
		return fmt.Errorf("%s namespace %s is a %s namespace: %w", name, ns.Path, kindName(uintptr(kind)), unix.EINVAL)
	}
	var st, own unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat %s namespace %s: %w", name, ns.Path, err)
	}
	if unix.Stat(ownNamespaces+name, &own) == nil && own.Ino == st.Ino && own.Dev == st.Dev {
		return nil
	}
	join := nsenter.Join{FD: fd, Flags: ns.Type, Name: ns.Path}
	switch {
	case ns.Type == unix.CLONE_NEWUSER:
		j.user, *userns = &join, st
		return nil
	case j.user != nil && ownedBy(fd, userns):
		j.rest = append(j.rest, join)
	default:
		j.host = append(j.host, join)
	}
	j.pid = j.pid || ns.Type&(unix.CLONE_NEWPID|unix.CLONE_NEWTIME) != 0
	return nil
}

// ownedBy tells whether the namespace open at fd belongs to the user namespace
// with the inode userns (ioctl_ns(2), since v4.9).
func ownedBy(fd int, userns *unix.Stat_t) bool {
	owner, err := unix.IoctlRetInt(fd, unix.NS_GET_USERNS)
	if err != nil {
		return false
	}
	defer unix.Close(owner)
	var st unix.Stat_t
	return unix.Fstat(owner, &st) == nil && st.Ino == userns.Ino && st.Dev == userns.Dev
}

// targetJoins prepares entering every namespace process pid does not share with
// the caller: by its pidfd at once (since v5.8), which the kernel checks as a
// whole, or one by one.
func targetJoins(t *Target) (*joins, error) {
	pid, pidfd := t.PID, t.Pidfd
	var flags uintptr
	var list []configs.Namespace
	dir := "/proc/" + strconv.Itoa(pid) + "/ns/"
	for _, k := range kinds {
		if t.Only != 0 && t.Only&k.flag == 0 {
			continue
		}
		var theirs, own unix.Stat_t
		if err := unix.Stat(dir+k.name, &theirs); err != nil {
			if err == unix.ENOENT && k.flag == unix.CLONE_NEWTIME {
				continue // before v5.6
			}
			return nil, fmt.Errorf("%s namespace of process %d: %w", k.name, pid, err)
		}
		if unix.Stat(ownNamespaces+k.name, &own) == nil && own.Ino == theirs.Ino {
			continue
		}
		flags |= k.flag
		list = append(list, configs.Namespace{Type: k.flag, Path: dir + k.name})
	}
	if flags == 0 {
		return &joins{}, nil
	}
	if pidfd < 0 || !setnsTakesPidfd() {
		return openJoins(list)
	}
	join := nsenter.Join{FD: pidfd, Flags: flags, Name: "of process " + strconv.Itoa(pid)}
	if flags&unix.CLONE_NEWUSER != 0 {
		return &joins{user: &join}, nil
	}
	return &joins{host: []nsenter.Join{join}, pid: flags&(unix.CLONE_NEWPID|unix.CLONE_NEWTIME) != 0}, nil
}

// ownNamespaces is where the caller's are. All threads of the parent have the same, and
// not by way of thread-self: whoever reaps a process of which another thread than the
// first was looked at there searches the kernel's cache of names for 3 ms.
const ownNamespaces = "/proc/self/ns/"

// setnsTakesPidfd tells whether setns(2) takes a pidfd, since v5.8. A probe would
// have to enter something to tell, so the kernel's version decides.
func setnsTakesPidfd() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	major, rest := leadingNumber(unix.ByteSliceToString(u.Release[:]))
	minor, _ := leadingNumber(strings.TrimPrefix(rest, "."))
	return major > 5 || major == 5 && minor >= 8
}

// leadingNumber splits text behind its decimal digits; 0 without any: the old way
// works everywhere.
func leadingNumber(text string) (int, string) {
	rest := strings.TrimLeft(text, "0123456789")
	n, err := strconv.Atoi(text[:len(text)-len(rest)])
	if err != nil {
		return 0, rest
	}
	return n, rest
}
