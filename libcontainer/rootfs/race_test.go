package rootfs

import (
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// CVE-2021-30465, CVE-2024-45310: in a volume that another container can write,
// the destination of a mount changes places with a link to the host's root while
// the mount is made. Whatever the outcome, the mount lands inside the rootfs.
func TestDestinationRace(t *testing.T) {
	inside(t, []string{modern, legacy}, func(w *world) {
		w.must(os.MkdirAll(base+"/src/vol/dst", 0o755))
		w.link("../../../../../../../.."+base+"/victim", "src/vol/link")
		var stop atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !stop.Load() {
				_ = unix.Renameat2(unix.AT_FDCWD, base+"/src/vol/dst", unix.AT_FDCWD, base+"/src/vol/link", unix.RENAME_EXCHANGE)
			}
		}()
		rounds := 300
		if testing.Short() {
			rounds = 30
		}
		made := 0
		host := map[string]bool{}
		for _, m := range w.mounts() {
			host[m.point] = true
		}
		for range rounds {
			root, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{
				{Destination: "/vol", Bind: true, Recursive: true, Source: base + "/src/vol"},
				{Destination: "/vol/dst", Bind: true, Source: base + "/src/dir"},
				{Destination: "/vol/dst/new/file", Bind: true, Source: base + "/src/file"},
				{Destination: "/vol/dst", Type: "tmpfs", Source: "tmpfs", TmpCopyUp: true},
			}})
			if err != nil {
				// Losing the race may be an error, but the mounts must go.
				w.must(syscall.Unmount(base+"/rootfs", syscall.MNT_DETACH))
				continue
			}
			made++
			for _, m := range w.mounts() {
				if !host[m.point] && !strings.HasPrefix(m.point, base+"/rootfs") {
					w.Fatalf("mounted on the host: %+v", m)
				}
			}
			root.Close()
			w.must(syscall.Unmount(base+"/rootfs", syscall.MNT_DETACH))
		}
		stop.Store(true)
		<-done
		w.untouched()
		w.Logf("%d of %d rounds mounted", made, rounds)
	})
}

// BenchmarkRootfs measures the whole work for a container as engines configure it,
// each in a mount namespace of its own.
func BenchmarkRootfs(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("needs root for its mount namespaces")
	}
	dir := b.TempDir()
	r := wire.Rootfs{
		Path: dir,
		Mounts: []wire.Mount{
			procMount(), devMount(),
			{FD: -1, Destination: "/dev/pts", Type: "devpts", Source: "devpts", Data: "newinstance,ptmxmode=0666,mode=0620,gid=5", AttrSet: nosuid | noexec},
			{FD: -1, Destination: "/sys", Type: "sysfs", Source: "sysfs", AttrSet: nosuid | noexec | nodev | ro},
			{FD: -1, Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", AttrSet: nosuid | noexec | nodev},
			{FD: -1, Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Data: "mode=1777,size=65536k", AttrSet: nosuid | noexec | nodev},
		},
		Devices: devices(), SetupDev: true,
		MaskedPaths:   []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"},
		ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
	}
	for i := range r.Mounts {
		r.Mounts[i].FD = -1
	}
	for _, old := range []bool{false, true} {
		name := modern
		if old {
			name = legacy
		}
		b.Run(name, func(b *testing.B) {
			forceLegacy = old
			defer func() { forceLegacy = false }()
			for b.Loop() {
				done := make(chan error)
				go func() {
					done <- onOwnThread(func() error {
						b.StopTimer()
						err := syscall.Unshare(linux.CLONE_NEWNS)
						b.StartTimer()
						if err != nil {
							return err
						}
						root, err := Prepare(&r, Options{}, func(string) {})
						if err == nil {
							err = root.Enter()
						}
						if err == nil {
							err = root.Finish()
						}
						return err
					})
				}()
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
