package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// On a host with many mounts a container's mount namespace is a copy of a small one
// that berth keeps below its root (libcontainer/anteroom).

func listsMounts() bool {
	// listmount(2), since v6.8.
	_, _, e := unix.Syscall6(458, 0, 0, 0, 0, 0, 0)
	return e != unix.ENOSYS
}

var busyHostNeeds = []Need{Berth, Root, Serial, Kernel("listmount", listsMounts)}

// ownTmpfs is a directory on a tmpfs of its own, outside of what is the test's.
func ownTmpfs(x *Test) string {
	x.Helper()
	dir, err := os.MkdirTemp("", "host")
	x.Must(err)
	x.Must(unix.Mount("host", dir, "tmpfs", 0, "mode=755"))
	x.Cleanup(func() {
		x.Must(unix.Unmount(dir, unix.MNT_DETACH))
		x.Must(os.Remove(dir))
	})
	return dir
}

// busyHost makes the host one with many mounts and a container: for the first one alone
// berth keeps nothing.
func busyHost(x *Test) *Container {
	x.Helper()
	manyMounts(x)
	c := x.UpAs(x.NewID())
	nonePinned(x)
	return c
}

// manyMounts makes the host one with many mounts.
func manyMounts(x *Test) {
	x.Helper()
	dir := ownTmpfs(x)
	for i := range 600 {
		at := filepath.Join(dir, strconv.Itoa(i))
		x.Must(os.Mkdir(at, 0o755))
		x.Must(unix.Mount(at, at, "", unix.MS_BIND, ""))
	}
}

// pinned lists the namespaces that berth keeps.
func pinned(x *Test) (files []string) {
	x.Helper()
	mounts, err := ReadMounts("/proc/self/mountinfo")
	x.Must(err)
	for _, m := range mounts {
		if m.Type == "nsfs" && strings.HasPrefix(m.Root, "mnt:") && strings.HasPrefix(m.Point, x.Root+"/") {
			files = append(files, m.Point)
		}
	}
	return files
}

func nonePinned(x *Test) {
	x.Helper()
	if list := pinned(x); list != nil {
		x.Errorf("namespaces are pinned: %v", list)
	}
	if _, err := os.Lstat(x.Root + "/@mounts"); err == nil {
		x.Errorf("%s/@mounts is there", x.Root)
	}
}

// describeMounts is what can be compared of two containers' mounts: ids, numbers of
// anonymous devices and of the peer groups that are the container's own differ.
func describeMounts(mounts []Mount) (list []string) {
	for _, m := range mounts {
		var propagation []string
		for field := range strings.FieldsSeq(m.Propagation) {
			if name, _, own := strings.Cut(field, ":"); own && name == "shared" {
				field = name
			}
			propagation = append(propagation, field)
		}
		m.ID, m.Parent, m.Device, m.Propagation = "", "", "", strings.Join(propagation, " ")
		m.Root = strings.TrimRight(m.Root, "0123456789") // bundles and cgroups end in the container's number
		list = append(list, fmt.Sprintf("%+v", m))
	}
	slices.Sort(list)
	return list
}

// fewMounts skips on a host that has many already.
func fewMounts(x *Test) {
	x.Helper()
	if mounts, err := ReadMounts("/proc/self/mountinfo"); err != nil || len(mounts) > 400 {
		x.Skipf("needs a host with few mounts: %d, %v", len(mounts), err)
	}
}

// A container looks the same, lives with the host the same way, and leaves nothing.
func TestBusyHost(t *testing.T) {
	for _, propagation := range []string{"", "rprivate", "rshared"} {
		t.Run("rootfs "+propagation, func(t *testing.T) {
			x := New(t, busyHostNeeds...)
			fewMounts(x)
			host := ownTmpfs(x)
			x.Must(unix.Mount("", host, "", unix.MS_SHARED, ""))
			sub, later := filepath.Join(host, "sub"), filepath.Join(host, "later")
			x.Must(os.Mkdir(sub, 0o755))
			x.Must(os.Mkdir(later, 0o755))
			x.Must(unix.Mount("sub", sub, "tmpfs", unix.MS_NOSUID, "mode=755"))
			x.WriteFile(filepath.Join(sub, "file"), "content", 0o644)
			rootfs := x.NewRootfs(x.Mkdir("rootfs"))
			x.Must(unix.Mount(rootfs, rootfs, "", unix.MS_BIND, ""))
			x.Must(unix.Mount("", rootfs, "", unix.MS_SHARED, ""))
			t.Cleanup(func() { x.Must(unix.Unmount(rootfs, unix.MNT_DETACH)) })
			edits := []Edit{
				withCaps("CAP_SYS_ADMIN"),
				func(s *specs.Spec) {
					s.Root.Path = rootfs
					s.Linux.RootfsPropagation = propagation
					s.Linux.MaskedPaths = []string{"/proc/keys", "/proc/acpi", "/etc/group"}
					s.Linux.ReadonlyPaths = []string{"/proc/sys"}
				},
				Mounted("/bind", "bind", host, "bind", "ro", "nodev"),
				Mounted("/rbind", "bind", host, "rbind"),
				Mounted("/shared", "bind", host, "rbind", "rshared"),
				Mounted("/slave", "bind", host, "rbind", "rslave"),
				Mounted("/private", "bind", host, "rbind", "rprivate"),
				Mounted("/a/file", "bind", filepath.Join(sub, "file"), "bind", "ro"),
			}
			before := x.UpAs(x.NewID(), edits...)
			nonePinned(x)
			manyMounts(x)
			after := x.UpAs(x.NewID(), edits...)
			Equal(x, "pinned namespaces", len(pinned(x)), 1)
			x.Must(unix.Mount("later", later, "tmpfs", 0, ""))
			want, got := before.Report(), after.Report()
			Same(x, "mounts", describeMounts(got.Mounts), describeMounts(want.Mounts))
			Equal(x, "through exec", after.ExecOK("cat", "/rbind/sub/file", "/a/file", "/etc/group"), "contentcontent")
			if _, ok := got.Mount("/slave/later"); ok == (propagation == "rprivate") {
				x.Errorf("a mount of the host in the container: %v", ok)
			}
			after.ExecOK("mkdir", "/shared/inside")
			after.ExecOK("/bin/mount", "-t", "tmpfs", "inside", "/shared/inside")
			mounts, err := ReadMounts("/proc/self/mountinfo")
			x.Must(err)
			if slices.ContainsFunc(mounts, func(m Mount) bool { return strings.HasSuffix(m.Point, "/inside") }) {
				x.Errorf("a mount of the container arrived on the host")
			}
			x.OK("delete", "--force", after.ID)
			Equal(x, "pinned namespaces with a container left", len(pinned(x)), 1)
			x.OK("delete", "--force", before.ID)
			nonePinned(x)
		})
	}
}

// With a foreground run, and with layers, the same.
func TestBusyHostRun(t *testing.T) {
	x := New(t, append(busyHostNeeds, Kernel("overlayfs", overlays))...)
	beside := busyHost(x)
	b := x.Bundle(Shell(change))
	for _, flag := range []string{"--ephemeral", "--ephemeral=" + x.Mkdir("layers")} {
		r := x.Foreground(b, flag)
		Equal(x, "output", r.Stdout, changed)
		Equal(x, "errors", r.Stderr, "")
		checkUnchanged(x, b)
		Equal(x, "pinned namespaces", len(pinned(x)), 1)
	}
	x.OK("delete", "--force", beside.ID)
	x.NothingLeft()
	nonePinned(x)
}

// What needs the host's paths in the container's mount namespace has them.
func TestBusyHostOfTheHost(t *testing.T) {
	for _, one := range []struct {
		name, want string
		edit       func(*specs.Spec, *Bundle)
	}{
		{"createRuntime hook", "/mnt", func(s *specs.Spec, b *Bundle) {
			// As one does that adds to the container before it runs.
			addHook(s, "createRuntime", specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c",
				`pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/'); nsenter -m -t $pid mount -t tmpfs added ` + b.Path("mnt")}})
		}},
		{"source below the rootfs", "/tmp/added", func(s *specs.Spec, b *Bundle) {
			Mounted("/mnt/added", "tmpfs", "added")(s)
			Mounted("/tmp", "bind", b.Path("mnt"), "rbind")(s)
		}},
		{"source above the rootfs", "/mnt/rootfs/proc", func(s *specs.Spec, b *Bundle) {
			Mounted("/mnt", "bind", b.Dir, "rbind")(s)
		}},
		{"user namespace", "/mnt", func(s *specs.Spec, _ *Bundle) {
			mappedUsers(s)
			Mounted("/mnt", "tmpfs", "added")(s)
		}},
		{"overlay", "/mnt", func(s *specs.Spec, b *Bundle) {
			Mounted("/mnt", "overlay", "overlay", "lowerdir="+b.Path("bin")+":"+b.Path("etc"))(s)
		}},
		{"link", "/mnt", func(s *specs.Spec, _ *Bundle) {
			Mounted("/mnt", "tmpfs", "added")(s)
			Mounted("/mnt/link", "bind", "/proc/self", "copy-symlink", "bind")(s)
		}},
	} {
		t.Run(one.name, func(t *testing.T) {
			x := New(t, append(busyHostNeeds, UserNS, Kernel("overlayfs", overlays), Program("nsenter"))...)
			beside := busyHost(x)
			b := x.Bundle(Args("/bin/probe", "pause"))
			b.Save(func(s *specs.Spec) { one.edit(s, b) })
			x.Mkdir(b.Path("mnt"))
			c := x.Create(b)
			c.Start()
			r := c.Report()
			if _, ok := r.Mount(one.want); !ok {
				x.Errorf("nothing is mounted on %s: %+v", one.want, r.Mounts)
			}
			x.OK("delete", "--force", c.ID)
			x.OK("delete", "--force", beside.ID)
			nonePinned(x)
		})
	}
}

// Creates that come at once share one namespace.
func TestBusyHostAtOnce(t *testing.T) {
	x := New(t, busyHostNeeds...)
	ids := []string{busyHost(x).ID}
	var wg sync.WaitGroup
	for range 6 {
		id := x.NewID()
		b := x.BundleFor(id, Args("/bin/probe", "pause"))
		ids = append(ids, id)
		wg.Go(func() {
			if r := x.Do("create", "--bundle", b.Dir, id); r.Code != 0 {
				t.Errorf("%v", r)
			}
		})
	}
	wg.Wait()
	Equal(x, "pinned namespaces", len(pinned(x)), 1)
	for _, id := range ids {
		wg.Go(func() {
			if r := x.Do("delete", "--force", id); r.Code != 0 {
				t.Errorf("%v", r)
			}
		})
	}
	wg.Wait()
	x.NothingLeft()
	nonePinned(x)
}

// What a killed create has left of the namespace is made again, and goes with the last
// container.
func TestBusyHostKilled(t *testing.T) {
	x := New(t, busyHostNeeds...)
	beside := busyHost(x)
	b := x.Bundle(Args("/bin/probe", "pause"))
	start := time.Now()
	x.Create(b)
	whole := time.Since(start)
	x.OK("delete", "--force", x.ID)
	x.OK("delete", "--force", beside.ID)
	nonePinned(x)
	for range 20 {
		x.UpAs(beside.ID)
		p := x.Cmd("create", "--bundle", b.Dir, x.ID).Start()
		// Spread over the time a create takes; where exactly does not matter.
		time.Sleep(time.Duration(rand.Int64N(int64(whole) * 5 / 4)))
		p.Signal(syscall.SIGKILL)
		p.Wait()
		other := x.NewID()
		c := x.CreateAs(other, x.BundleFor(other, Args("/bin/probe", "pause")))
		c.Start()
		Equal(x, "pinned namespaces", len(pinned(x)), 1)
		x.OK("delete", "--force", other)
		x.OK("delete", "--force", x.ID)
		x.OK("delete", "--force", beside.ID)
		x.NothingLeft()
		nonePinned(x)
	}
}

// The steps that a kill may come between, one by one.
func TestBusyHostHalfMade(t *testing.T) {
	for name, leave := range map[string]func(x *Test, dir string){
		"directory": func(*Test, string) {},
		"file":      func(x *Test, dir string) { x.WriteFile(dir+"/ns.1", "", 0o400) },
		"mount":     func(x *Test, dir string) { x.Must(unix.Mount(dir, dir, "", unix.MS_BIND, "")) },
		"mounts": func(x *Test, dir string) {
			for range 3 {
				x.Must(unix.Mount(dir, dir, "", unix.MS_BIND, ""))
			}
			x.WriteFile(dir+"/ns.1", "", 0o400)
		},
		"another kind": func(x *Test, dir string) {
			x.WriteFile(dir+"/ns.1", "", 0o400)
			x.Must(unix.Mount("/proc/self/ns/uts", dir+"/ns.1", "", unix.MS_BIND, ""))
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := New(t, busyHostNeeds...)
			beside := busyHost(x)
			ns, err := os.Stat("/proc/self/ns/mnt")
			x.Must(err)
			dir := x.Root + "/@mounts/" + strconv.FormatUint(ns.Sys().(*syscall.Stat_t).Ino, 10)
			x.Must(os.MkdirAll(dir, 0o700))
			leave(x, dir)
			x.Up()
			Same(x, "pinned", pinned(x), []string{dir + "/ns.1"})
			x.OK("delete", "--force", x.ID)
			x.OK("delete", "--force", beside.ID)
			x.NothingLeft()
			nonePinned(x)
		})
	}
}

// No container gets hold of the namespace file, not even one that is given berth's own
// directory: from before, later, or as a part of what is bound.
func TestBusyHostOutOfReach(t *testing.T) {
	x := New(t, busyHostNeeds...)
	state := ownTmpfs(x)
	x.Must(unix.Mount("", state, "", unix.MS_SHARED, ""))
	x.Root = filepath.Join(state, "root")
	x.Must(os.Mkdir(x.Root, 0o711))
	admin := withCaps("CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE")
	old := x.UpAs(x.NewID(), admin, Mounted("/state", "bind", state, "rbind", "rslave"))
	manyMounts(x)
	first := x.UpAs(x.NewID(), admin, Mounted("/state", "bind", state, "rbind", "rslave"))
	files := pinned(x)
	Equal(x, "pinned namespaces", len(files), 1)
	second := x.UpAs(x.NewID(), admin, Mounted("/state", "bind", state, "rbind"), Mounted("/mounts", "bind", x.Root+"/@mounts", "rbind"))
	copied := x.UpAs(x.NewID(), admin, Mounted("/state", "bind", state, "rbind"),
		Mounted("/mnt", "overlay", "overlay", "lowerdir="+x.Root+":/")) // a copy of the host's namespace
	x.OK("mounts", "add", second.ID, listFile(x, bind(state, "/hot")))
	for _, c := range []*Container{old, first, second, copied} {
		for _, m := range c.Report().Mounts {
			if m.Type == "nsfs" {
				x.Errorf("%s: a namespace is mounted at %s", c.ID, m.Point)
			}
		}
		inside := strings.Replace(files[0], state, "/state", 1)
		if text := c.Exec("nsenter", "--mount="+inside, "/bin/true"); text.Code == 0 {
			x.Errorf("%s: entered the namespace", c.ID)
		}
	}
	for _, c := range []*Container{old, first, second, copied} {
		x.OK("delete", "--force", c.ID)
	}
	nonePinned(x)
}

// Where it could not be made once, the copy of the host's mounts serves until the last
// container is gone.
func TestBusyHostUnable(t *testing.T) {
	x := New(t, busyHostNeeds...)
	beside := busyHost(x)
	ns, err := os.Stat("/proc/self/ns/mnt")
	x.Must(err)
	dir := x.Root + "/@mounts/" + strconv.FormatUint(ns.Sys().(*syscall.Stat_t).Ino, 10)
	x.Must(os.MkdirAll(dir, 0o700))
	x.WriteFile(dir+"/unable", "", 0o400)
	x.Up()
	if list := pinned(x); list != nil {
		x.Errorf("namespaces are pinned: %v", list)
	}
	x.OK("delete", "--force", x.ID)
	x.OK("delete", "--force", beside.ID)
	x.NothingLeft()
	nonePinned(x)
}
