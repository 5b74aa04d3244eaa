package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// Options is what Prepare has to know about the namespaces it runs in.
type Options struct {
	// UserNS says that the process is root of a user namespace of its own: it may
	// not make device nodes, and must keep the locked flags of the host's mounts.
	UserNS bool
	// CgroupNS says that the container has a cgroup namespace of its own, so that its
	// cgroup is the root of what it sees.
	CgroupNS bool
}

// Root is the file system tree of the container while it is built. Its fds are
// close-on-exec; Close gives them up earlier.
type Root struct {
	fd   int // "/" of the container
	plan *wire.Rootfs
	opts Options
	warn func(string)

	// legacy says that the kernel lacks the mount API that the rest relies on.
	legacy bool
	// proc is the host's procfs, opened when mount(2) is needed: see legacy.go.
	proc *safepath.Proc

	// null is a clone of the host's /dev/null, attached nowhere until the first
	// masked file; -1 with nullErr when there is none.
	null         int
	nullErr      error
	nullAttached bool
	// empty is the read-only tmpfs of the first masked directory; -1: none yet.
	empty int

	// late holds the mounts that become read-only in Finish, as mount points and
	// devices are still made inside them.
	late []int
}

// forceLegacy makes tests run on mount(2).
var forceLegacy bool

// Prepare builds the tree below r.Path in the calling thread's mount namespace,
// up to the point where hooks run before the root changes. warn gets sentences
// about what could not be done and does not matter much.
//
// The mount namespace must be the container's own: the propagation of its "/" is
// changed.
func Prepare(r *wire.Rootfs, o Options, warn func(string)) (*Root, error) {
	root := &Root{fd: -1, plan: r, opts: o, warn: warn, legacy: forceLegacy || !linux.HaveMountAPI(), null: -1, empty: -1}
	defer syscall.Umask(syscall.Umask(0))
	if err := root.build(); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

func (r *Root) build() error {
	if err := isolate(r.plan.Propagation); err != nil {
		return err
	}
	if r.plan.FD > 0 {
		if err := enterFrom(r.plan); err != nil {
			return err
		}
	}
	if r.plan.Layer != nil {
		if err := r.addLayer(); err != nil {
			return linux.Wrap("layer over "+r.plan.Path, err)
		}
	}
	if err := r.bindSelf(); err != nil {
		return err
	}
	for i := range r.plan.Mounts {
		m := &r.plan.Mounts[i]
		if err := r.mount(m); err != nil {
			return mountError(m, err)
		}
	}
	if err := r.makeDevices(); err != nil {
		return err
	}
	if r.plan.SetupDev {
		if err := r.linkDev(); err != nil {
			return err
		}
	}
	if len(r.plan.MaskedPaths) > 0 {
		r.openNull()
	}
	return nil
}

// isolate cuts the mount namespace off from the host's. pivot_root(2) wants no
// shared mount as parent of the old or the new root: hence all of "/".
func isolate(propagation uint64) error {
	if propagation == 0 {
		propagation = syscall.MS_SLAVE | syscall.MS_REC
	}
	return linux.Wrap("set mount propagation of /", syscall.Mount("", "/", "", uintptr(propagation), ""))
}

// bindSelf makes the root directory a mount of its own, as pivot_root(2) wants
// it, and keeps it open. A root that is a link is refused.
func (r *Root) bindSelf() error {
	if r.plan.FD > 0 && r.plan.Layer == nil {
		r.fd = r.plan.FD // it is one already
		return nil
	}
	op := "open rootfs " + r.plan.Path
	dir, err := linux.Openat(linux.AT_FDCWD, r.plan.Path, linux.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err == syscall.ENOTDIR && isLink(r.plan.Path) {
		return &safepath.Refusal{Object: "rootfs " + r.plan.Path, Reason: "it is a symbolic link"}
	}
	if err != nil {
		return linux.Wrap(op, err)
	}
	defer closeFD(dir)
	op = "bind rootfs " + r.plan.Path
	if !r.legacy {
		tree, err := linux.OpenTree(dir, "", linux.OpenTreeClone|linux.AtEmptyPath|linux.AtRecursive)
		if err != nil {
			return linux.Wrap(op, err)
		}
		r.fd = tree
		return linux.Wrap(op, linux.MoveMount(tree, dir))
	}
	if err := r.bindAt(dir, dir, syscall.MS_REC); err != nil {
		return linux.Wrap(op, err)
	}
	r.fd, err = linux.Openat(linux.AT_FDCWD, r.plan.Path, linux.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	return linux.Wrap(op, err)
}

func isLink(path string) bool {
	var st syscall.Stat_t
	err := linux.Fstatat(linux.AT_FDCWD, path, &st, linux.AtSymlinkNofollow)
	return err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFLNK
}

// FD returns the O_PATH fd of the container's "/", which r keeps.
func (r *Root) FD() int { return r.fd }

// Close gives up the fds that r holds.
func (r *Root) Close() {
	for _, fd := range append(r.late, r.fd, r.null, r.empty) {
		if fd >= 0 {
			closeFD(fd)
		}
	}
	r.late, r.fd, r.null, r.empty = nil, -1, -1, -1
	if r.proc != nil {
		r.proc.Close()
		r.proc = nil
	}
}

func closeFD(fd int) {
	_ = syscall.Close(fd) // no data is written through these fds
}
