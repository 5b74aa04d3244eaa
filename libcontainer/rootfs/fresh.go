package rootfs

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// Superblock flags of mount(2) that package syscall spells differently or lacks.
const (
	msIVersion = 1 << 23
	msLazytime = linux.MS_LAZYTIME
)

// freshFS is a file system to be made.
type freshFS struct {
	fstype, source, data, label string
	labelKey                    string // see context
	attrs                       uint64 // MOUNT_ATTR_*
	super                       uint64 // MS_* of the superblock
}

// mountFresh makes a file system of m's type and mounts it.
func (r *Root) mountFresh(m *wire.Mount) error {
	f := freshFS{
		fstype: m.Type, source: m.Source, data: m.Data, label: r.label(m), labelKey: r.plan.MountContext,
		attrs: effectiveAttrs(m), super: m.SuperFlags,
	}
	t, err := r.openTarget(m, true)
	if err != nil {
		return err
	}
	defer closeFD(t.fd)
	if m.Type == "tmpfs" {
		if err := f.inheritMode(t); err != nil {
			return err
		}
	}
	late := f.deferReadonly(cleanPath(m.Destination))
	mnt, err := r.placeFresh(m, &f, t.fd)
	if err != nil {
		return explainFresh(m, err)
	}
	if late {
		r.late = append(r.late, mnt)
	} else {
		defer closeFD(mnt)
	}
	return nil
}

// placeFresh makes and mounts f and returns the fd of the mount, which the caller
// owns.
func (r *Root) placeFresh(m *wire.Mount, f *freshFS, dst int) (int, error) {
	if r.legacy || needsMount2(f) {
		return r.freshLegacy(m, f, dst)
	}
	mnt, err := f.make()
	if err != nil {
		if !retryWithMount2(err) {
			return -1, err
		}
		// Some file systems know options only in the form of mount(2).
		if mnt, e := r.freshLegacy(m, f, dst); e == nil {
			return mnt, nil
		}
		return -1, err
	}
	if m.TmpCopyUp {
		err = r.copyUp(dst, mnt)
	}
	if err == nil {
		err = r.attach(m, mnt, dst)
	}
	if err != nil {
		closeFD(mnt)
		return -1, err
	}
	return mnt, nil
}

// make returns the file system as a detached mount.
func (f *freshFS) make() (int, error) {
	ctx, err := linux.Fsopen(f.fstype)
	if err != nil {
		return -1, linux.Wrap("fsopen "+f.fstype, err)
	}
	defer closeFD(ctx)
	if err := f.configure(ctx); err != nil {
		return -1, err
	}
	if err := linux.FsconfigCreate(ctx); err != nil {
		return -1, fsError(ctx, "create "+f.fstype, err)
	}
	mnt, err := linux.Fsmount(ctx, uint(f.attrs))
	if err != nil {
		return -1, fsError(ctx, "fsmount "+f.fstype, err)
	}
	return mnt, nil
}

// superKeys are the superblock flags that fsconfig(2) knows by name. MS_SILENT
// only quiets the kernel's log and has none.
var superKeys = [...]struct {
	flag uint64
	key  string
}{
	{syscall.MS_RDONLY, "ro"},
	{syscall.MS_SYNCHRONOUS, "sync"},
	{syscall.MS_DIRSYNC, "dirsync"},
	{syscall.MS_MANDLOCK, "mand"},
	{msLazytime, "lazytime"},
}

func (f *freshFS) configure(ctx int) error {
	if f.source != "" {
		if err := setString(ctx, "source", f.source); err != nil {
			return err
		}
	}
	for _, s := range superKeys {
		if f.super&s.flag != 0 {
			if err := setFlag(ctx, s.key); err != nil {
				return err
			}
		}
	}
	for data := f.data; data != ""; {
		var opt string
		opt, data = nextOption(data)
		if opt == "" {
			continue
		}
		key, value, has := cutValue(opt)
		var err error
		if has {
			err = setString(ctx, key, value)
		} else {
			err = setFlag(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	if f.label != "" {
		return setString(ctx, f.context(), f.label)
	}
	return nil
}

func setString(ctx int, key, value string) error {
	if err := linux.FsconfigString(ctx, key, value); err != nil {
		return fsError(ctx, "option "+key+"="+value, err)
	}
	return nil
}

func setFlag(ctx int, key string) error {
	if err := linux.FsconfigFlag(ctx, key); err != nil {
		return fsError(ctx, "option "+key, err)
	}
	return nil
}

// fsError adds what the kernel wrote about a fs context's failure: lines like
// "e tmpfs: Bad value for 'mode'", one per read.
func fsError(ctx int, op string, err error) error {
	buf := make([]byte, 512)
	for {
		n, e := syscall.Read(ctx, buf)
		if e != nil || n <= 2 {
			return linux.Wrap(op, err)
		}
		if buf[0] != 'e' {
			continue
		}
		for n > 2 && buf[n-1] == '\n' {
			n--
		}
		op += ": " + string(buf[2:n])
	}
}

// retryWithMount2 tells the errors of the mount API after which mount(2) may
// still know better.
func retryWithMount2(err error) bool {
	switch errno(err) {
	case syscall.ENOSYS, syscall.EINVAL, syscall.EOPNOTSUPP:
		return true
	}
	return false
}

// inheritMode gives a tmpfs without mode= the mode of the directory it covers, as
// runc and crun do: images rely on the sticky bit of their /tmp.
func (f *freshFS) inheritMode(t target) error {
	if t.made || hasOption(f.data, "mode") {
		return nil
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(t.fd, &st); err != nil {
		return linux.Wrap("stat destination", err)
	}
	f.data = addOption(f.data, "mode="+strconv.FormatUint(uint64(st.Mode&0o7777), 8))
	return nil
}

// deferReadonly takes the read-only flags off a file system in which mount points
// or devices are still to be made, and reports whether it did.
func (f *freshFS) deferReadonly(dest string) bool {
	if f.fstype != "tmpfs" && dest != "/dev" {
		return false
	}
	ro := f.attrs&linux.MountAttrRdonly != 0 || f.super&syscall.MS_RDONLY != 0
	f.attrs &^= linux.MountAttrRdonly
	f.super &^= syscall.MS_RDONLY
	return ro
}

// explainFresh adds the cure to errors that say little by themselves.
func explainFresh(m *wire.Mount, err error) error {
	e := errno(err)
	hint := ""
	switch {
	case m.Type == "sysfs" && e == syscall.EPERM:
		hint = "a sysfs can only be mounted in a network namespace that the container's user namespace owns, and where a complete sysfs is visible (make it read-only, or bind /sys)"
	case m.Type == "proc" && e == syscall.EPERM:
		hint = "a proc can only be mounted in a pid namespace that the container's user namespace owns, and where a complete proc is visible"
	case m.Type == "mqueue" && e == syscall.EPERM:
		hint = "an mqueue can only be mounted in an ipc namespace that the container's user namespace owns"
	case m.Type == "devpts" && e == syscall.EINVAL && hasOption(m.Data, "gid"):
		hint = "the gid= of the options has no mapping in the container's user namespace"
	case e == syscall.ENODEV:
		hint = "the kernel has no file system type " + strconv.Quote(m.Type)
	}
	if hint == "" {
		return err
	}
	return linux.Wrap(hint, err)
}
