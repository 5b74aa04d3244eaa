package rootfs

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

func TestBindFlags(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.must(syscall.Mount("tmpfs", base+"/src/dir", "tmpfs", syscall.MS_NOSUID|syscall.MS_NOEXEC|syscall.MS_NOATIME, ""))
		w.must(os.MkdirAll(base+"/src/dir/sub", 0o755))
		w.must(syscall.Mount("tmpfs", base+"/src/dir/sub", "tmpfs", 0, ""))
		src := base + "/src/dir"
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/plain", Bind: true, Source: src, Type: "bind", Data: "ignored=1"},
			{Destination: "/deep/er/rec", Bind: true, Recursive: true, Source: src},
			{Destination: "/ro", Bind: true, Source: src, AttrSet: ro},
			{Destination: "/rorec", Bind: true, Recursive: true, Source: src, AttrSet: ro | nodev},
			{Destination: "/clear", Bind: true, Source: src, AttrSet: nodev, AttrClr: ro | noexec | nosuid},
			{Destination: "/strict", Bind: true, Source: src, AttrSet: linux.MountAttrStrictatime},
			{Destination: "/file", Bind: true, Source: base + "/src/file", AttrSet: ro},
		}})
		w.expect("/plain", "rw", "nosuid", "noexec", "noatime")
		w.expect("/deep/er/rec", "rw", "nosuid", "noexec")
		w.expect("/deep/er/rec/sub", "rw", "!nosuid")
		w.expect("/ro", "ro", "nosuid", "noexec", "noatime", "!nodev")
		w.expect("/rorec", "ro", "nodev", "nosuid")
		w.expect("/rorec/sub", "rw", "!nodev")
		w.expect("/clear", "rw", "nodev", "!noexec", "!nosuid", "noatime")
		w.expect("/strict", "!noatime", "!relatime", "nosuid")
		w.readonly("/file")
	})
}

func TestRecursiveAttributes(t *testing.T) {
	inside(t, []string{modern, userns}, func(w *world) {
		w.must(syscall.Mount("tmpfs", base+"/src/dir", "tmpfs", 0, ""))
		w.must(os.MkdirAll(base+"/src/dir/sub", 0o755))
		w.must(syscall.Mount("tmpfs", base+"/src/dir/sub", "tmpfs", syscall.MS_NOEXEC, ""))
		src := base + "/src/dir"
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/rro", Bind: true, Recursive: true, Source: src, RecAttrSet: ro | linux.MountAttrNoatime},
			{Destination: "/rexec", Bind: true, Recursive: true, Source: src, AttrSet: ro, RecAttrSet: nosuid, RecAttrClr: noexec},
			{Destination: "/fresh", Type: "tmpfs", Source: "tmpfs", AttrSet: nosuid | noexec, RecAttrSet: nodev, RecAttrClr: noexec},
		}})
		w.expect("/rro", "ro", "noatime")
		w.expect("/rro/sub", "ro", "noatime", "noexec")
		w.expect("/rexec", "ro", "nosuid")
		w.expect("/rexec/sub", "rw", "nosuid", "!noexec")
		w.expect("/fresh", "nosuid", "nodev", "!noexec")
	})
}

func TestRecursiveAttributesNeedTheMountAPI(t *testing.T) {
	inside(t, []string{legacy}, func(w *world) {
		_, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/rro", Bind: true, Recursive: true, Source: base + "/src", RecAttrSet: ro},
		}})
		if err == nil || !strings.Contains(err.Error(), "Linux 5.12") {
			w.Errorf("error %v", err)
		}
	})
}

// A mount that a user namespace got from its parent keeps its flags.
func TestLockedFlags(t *testing.T) {
	if os.Getenv("ROOTFS_TEST_LOCKED") != "" {
		inside(t, nil, lockedInside)
		return
	}
	inside(t, []string{modern, legacy}, func(w *world) {
		const vol = "/usr/local"
		w.must(syscall.Mount("tmpfs", vol, "tmpfs", syscall.MS_NOSUID|syscall.MS_NOEXEC|syscall.MS_RDONLY, ""))
		variant := userns
		if w.variant == legacy {
			variant = usernsLegacy
		}
		// The id maps are written through the procfs of this pid namespace.
		w.must(syscall.Mount("proc", "/proc", "proc", 0, ""))
		w.must(os.Setenv("ROOTFS_TEST_LOCKED", "1"))
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestLockedFlags$", "-test.v")
		cmd.Env = append(os.Environ(), variantEnv+"="+variant)
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true, Credential: &syscall.Credential{},
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			w.Errorf("%v\n%s", err, out)
		}
	})
}

func lockedInside(w *world) {
	const vol = "/usr/local"
	_, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{
		{Destination: "/x", Bind: true, Source: vol, AttrClr: ro | nosuid | nodev},
	}})
	if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "ro,nosuid") || strings.Contains(err.Error(), "nodev") {
		w.Errorf("clearing locked flags: %v", err)
	}
	w.enter(&wire.Rootfs{Mounts: []wire.Mount{
		{Destination: "/plain", Bind: true, Source: vol},
		{Destination: "/more", Bind: true, Source: vol, AttrSet: ro | nodev},
		{Destination: "/rec", Bind: true, Recursive: true, Source: vol, AttrClr: nodev},
	}, ReadonlyPaths: []string{"/plain"}})
	w.expect("/plain", "ro", "nosuid", "noexec")
	w.expect("/more", "ro", "nosuid", "noexec", "nodev")
	w.expect("/rec", "ro", "nosuid", "noexec", "!nodev")
}

// A detached mount that the parent opened takes the place of the source.
func TestMountFD(t *testing.T) {
	inside(t, []string{modern, userns}, func(w *world) {
		w.write("src/dir/marker", "m")
		fd, err := linux.OpenTree(linux.AT_FDCWD, base+"/src/dir", linux.OpenTreeClone|linux.AtRecursive)
		w.must(err)
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/vol", Bind: true, Recursive: true, Source: "/not/there", FD: fd, AttrSet: ro, Propagation: []uint64{syscall.MS_PRIVATE | syscall.MS_REC}},
		}})
		w.readonly("/vol/marker")
	})
}

func TestPropagation(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		shared := func(p uint64) []uint64 { return []uint64{p} }
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/shared", Type: "tmpfs", Source: "tmpfs", Propagation: shared(syscall.MS_SHARED)},
			{Destination: "/slave", Type: "tmpfs", Source: "tmpfs", Propagation: []uint64{syscall.MS_SHARED, syscall.MS_UNBINDABLE}},
			{Destination: "/bind", Bind: true, Source: base + "/src/dir", Propagation: shared(syscall.MS_SHARED | syscall.MS_REC)},
			{Destination: "/later", Type: "tmpfs", Source: "tmpfs"},
			{Destination: "/later", Type: "none", Source: "none", Propagation: shared(syscall.MS_SHARED)},
		}})
		for _, p := range []string{"/shared", "/bind", "/later"} {
			if m := w.at(p); !strings.HasPrefix(m.optional, "shared:") {
				w.Errorf("%s is %q", p, m.optional)
			}
		}
		if m := w.at("/slave"); m.optional != "unbindable" {
			w.Errorf("/slave is %q", m.optional)
		}
	})
}

func TestRemount(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/a", Bind: true, Source: base + "/src/dir", AttrSet: nosuid},
			{Destination: "/a", Bind: true, Remount: true, AttrSet: ro | noexec},
			{Destination: "/b", Type: "tmpfs", Source: "tmpfs", Data: "size=64k"},
			{Destination: "/b", Remount: true, Type: "tmpfs", Source: "tmpfs", Data: "size=128k", AttrSet: ro, SuperFlags: syscall.MS_RDONLY},
		}})
		w.expect("/a", "ro", "nosuid", "noexec")
		if m := w.expect("/b", "ro"); !strings.Contains(m.super, "size=128k") {
			w.Errorf("options %s", m.super)
		}
	})
}

func TestMountErrors(t *testing.T) {
	cases := []struct {
		name  string
		mount wire.Mount
		errno syscall.Errno
		text  string
	}{
		{"missing source", wire.Mount{Destination: "/x", Bind: true, Source: "/no/such", Index: 3}, syscall.ENOENT,
			`error mounting "/no/such" to rootfs at "/x": open source: no such file or directory`},
		{"directory on file", wire.Mount{Destination: "/etc/hosts", Bind: true, Source: base + "/src/dir"}, syscall.ENOTDIR, "not a directory"},
		{"file on directory", wire.Mount{Destination: "/etc", Bind: true, Source: base + "/src/file"}, syscall.ENOTDIR, "not a directory"},
		{"file system on file", wire.Mount{Destination: "/etc/hosts", Type: "tmpfs", Source: "tmpfs"}, syscall.ENOTDIR, "not a directory"},
		{"bad option", wire.Mount{Destination: "/x", Type: "tmpfs", Source: "tmpfs", Data: "size=64k,mode=9x9"}, syscall.EINVAL, "invalid argument"},
		{"unknown option", wire.Mount{Destination: "/x", Type: "tmpfs", Source: "tmpfs", Data: "nonsense"}, syscall.EINVAL, "invalid argument"},
		{"unknown type", wire.Mount{Destination: "/x", Type: "nofs", Source: "none"}, syscall.ENODEV, `the kernel has no file system type "nofs"`},
		{"loop", wire.Mount{Destination: "/loop/x", Type: "tmpfs", Source: "tmpfs"}, syscall.ELOOP, "too many levels of symbolic links"},
		{"missing dest-nofollow", wire.Mount{Destination: "/none", Bind: true, Source: base + "/src/file", DestNofollow: true}, syscall.ENOENT, "no such file"},
		{"remount of no mount", wire.Mount{Destination: "/etc", Bind: true, Remount: true, AttrSet: ro}, syscall.EINVAL, "invalid argument"},
		{"remount of nothing", wire.Mount{Destination: "/none", Remount: true, AttrSet: ro}, syscall.ENOENT, "no such file"},
	}
	inside(t, []string{modern, legacy, userns}, func(w *world) {
		w.write("rootfs/etc/hosts", "h")
		w.link("loop", "rootfs/loop")
		for _, c := range cases {
			_, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{c.mount}})
			if !errors.Is(err, c.errno) || !strings.Contains(err.Error(), c.text) {
				w.Errorf("%s: %v", c.name, err)
			}
			var e *MountError
			if !errors.As(err, &e) || e.Index != c.mount.Index {
				w.Errorf("%s: %#v is no MountError with the index", c.name, err)
			}
		}
		if w.variant == legacy {
			return
		}
		for _, opt := range []string{"mode=9x9", "nonsense"} {
			_, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{{Destination: "/x", Type: "tmpfs", Source: "tmpfs", Data: opt}}})
			if key, _, _ := cutValue(opt); !strings.Contains(err.Error(), "tmpfs: ") || !strings.Contains(err.Error(), "'"+key+"'") {
				w.Errorf("the kernel's message is not in: %v", err)
			}
		}
	})
}

// An option longer than fsconfig(2) takes, as overlay's lowerdir in images of many
// layers.
func TestLongOption(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		var lower []string
		for _, c := range "abcdefghijkl" {
			dir := base + "/layers/" + strings.Repeat(string(c), 30)
			w.must(os.MkdirAll(dir+"/from-"+string(c), 0o755))
			lower = append(lower, dir)
		}
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/merged", Type: "overlay", Source: "overlay", Data: "lowerdir=" + strings.Join(lower, ":"), AttrSet: nodev | ro, SuperFlags: syscall.MS_RDONLY},
		}})
		w.expect("/merged", "nodev", "ro")
		if entries, err := os.ReadDir("/merged"); err != nil || len(entries) != len(lower) {
			w.Errorf("%d entries, %v", len(entries), err)
		}
	})
}

func TestSymlinkOptions(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.link("file", "src/link")
		w.link("/somewhere", "rootfs/old")
		w.link("file", "rootfs/same")
		root, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/made/copy", Bind: true, Source: base + "/src/link", CopySymlink: true},
			{Destination: "/same", Bind: true, Source: base + "/src/link", CopySymlink: true},
			{Destination: "/nolink", Bind: true, Source: base + "/src/file", CopySymlink: true},
			{Destination: "/followed", Bind: true, Source: base + "/src/link"},
			{Destination: "/old", Bind: true, Source: base + "/src/link", SrcNofollow: true, DestNofollow: true},
		}})
		w.must(err)
		for path, want := range map[string]string{"/made/copy": "file", "/same": "file", "/old": "file"} {
			if text, err := linux.Readlinkat(root.fd, path[1:]); err != nil || text != want {
				w.Errorf("%s → %q, %v", path, text, err)
			}
		}
		w.must(root.Enter())
		for _, p := range []string{"/nolink", "/followed"} {
			if data, err := os.ReadFile(p); err != nil || string(data) != "source" {
				w.Errorf("%s: %q, %v", p, data, err)
			}
		}
	})
}

func TestCopySymlinkInTheWay(t *testing.T) {
	inside(t, []string{modern}, func(w *world) {
		w.link("file", "src/other")
		w.link("elsewhere", "rootfs/taken")
		_, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/taken", Bind: true, Source: base + "/src/other", CopySymlink: true},
		}})
		if !errors.Is(err, syscall.EEXIST) {
			w.Errorf("another link in the place: %v", err)
		}
	})
}

func TestTmpCopyUp(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.write("rootfs/data/file", "content")
		w.write("rootfs/data/d1/d2/leaf", strings.Repeat("x", 3<<20))
		w.link("../../victim/file", "rootfs/data/out")
		w.must(syscall.Mkfifo(base+"/rootfs/data/fifo", 0o640))
		w.must(os.Chown(base+"/rootfs/data/file", 7, 8))
		w.must(syscall.Chmod(base+"/rootfs/data/file", 0o4711))
		w.must(syscall.Chmod(base+"/rootfs/data/d1", 0o2770))
		w.must(os.Chown(base+"/rootfs/data", 9, 9))
		w.must(syscall.Chmod(base+"/rootfs/data", 0o751))
		xattr := unix.Setxattr(base+"/rootfs/data/file", "user.berth", []byte("v"), 0) == nil
		before := w.stat(base + "/rootfs/data/file")
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/data", Type: "tmpfs", Source: "tmpfs", TmpCopyUp: true, AttrSet: nodev | ro},
			{Destination: "/fresh", Type: "tmpfs", Source: "tmpfs", TmpCopyUp: true},
		}})
		w.expect("/data", "ro", "nodev")
		if st := w.stat("/data"); st.Mode&0o7777 != 0o751 || st.Uid != 9 {
			w.Errorf("/data: mode %#o, uid %d", st.Mode, st.Uid)
		}
		if st := w.stat("/data/file"); st.Mode&0o7777 != 0o4711 || st.Uid != 7 || st.Gid != 8 || st.Mtim != before.Mtim {
			w.Errorf("file: mode %#o, %d:%d, time %v", st.Mode, st.Uid, st.Gid, st.Mtim)
		}
		if st := w.stat("/data/d1"); st.Mode&0o7777 != 0o2770 {
			w.Errorf("directory: mode %#o", st.Mode)
		}
		if st := w.stat("/data/d1/d2/leaf"); st.Size != 3<<20 {
			w.Errorf("leaf has %d bytes", st.Size)
		}
		if st := w.stat("/data/fifo"); st.Mode != syscall.S_IFIFO|0o640 {
			w.Errorf("fifo: mode %#o", st.Mode)
		}
		if text, err := os.Readlink("/data/out"); err != nil || text != "../../victim/file" {
			w.Errorf("link → %q, %v", text, err)
		}
		if xattr {
			buf := make([]byte, 8)
			if n, err := unix.Getxattr("/data/file", "user.berth", buf); err != nil || string(buf[:n]) != "v" {
				w.Errorf("xattr %q, %v", buf[:max(n, 0)], err)
			}
		}
		if len(w.warned) > 0 {
			w.Error(w.warned)
		}
	})
}

func TestBindNeedsRecursion(t *testing.T) {
	inside(t, []string{userns, usernsLegacy}, func(w *world) {
		_, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{{Destination: "/x", Bind: true, Source: "/sys"}}})
		if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "rbind") {
			w.Errorf("error %v", err)
		}
		root, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{{Destination: "/x", Bind: true, Recursive: true, Source: "/sys"}}})
		w.must(err)
		root.Close()
	})
}
