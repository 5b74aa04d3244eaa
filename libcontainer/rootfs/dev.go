package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
)

// linkDev makes the links that every /dev has. All of it happens below one fd of
// the /dev inside the root, so a rootfs whose /dev is a link to a directory of
// the host never reaches it (CVE-2026-41579).
func (r *Root) linkDev() error {
	dir, err := safepath.MkdirAll(r.fd, "/dev", 0o755)
	if err != nil {
		return linux.Wrap("open /dev", err)
	}
	defer closeFD(dir)
	links := [...]struct{ name, text string }{
		{"fd", "/proc/self/fd"},
		{"stdin", "/proc/self/fd/0"},
		{"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"},
	}
	for _, l := range links {
		if err := linkOnce(dir, l.name, l.text); err != nil {
			return err
		}
	}
	if linux.Faccessat(linux.AT_FDCWD, "/proc/kcore", 0) == nil {
		if err := linkOnce(dir, "core", "/proc/kcore"); err != nil {
			return err
		}
	}
	return r.linkPtmx(dir)
}

// linkOnce makes a link and lets be what is there already.
func linkOnce(dir int, name, text string) error {
	err := linux.Symlinkat(text, dir, name)
	if err == syscall.EEXIST {
		return nil
	}
	return linux.Wrap("link /dev/"+name, err)
}

// linkPtmx replaces a ptmx of the image: only the one of the container's devpts
// makes terminals that exist inside.
func (r *Root) linkPtmx(dir int) error {
	const text = "pts/ptmx"
	err := linux.Symlinkat(text, dir, "ptmx")
	if err != syscall.EEXIST || r.covered("/dev/ptmx") {
		if err == syscall.EEXIST {
			err = nil
		}
		return linux.Wrap("link /dev/ptmx", err)
	}
	if old, e := linux.Readlinkat(dir, "ptmx"); e == nil && old == text {
		return nil
	}
	if err := syscall.Unlinkat(dir, "ptmx"); err != nil {
		return linux.Wrap("remove /dev/ptmx", err)
	}
	return linux.Wrap("link /dev/ptmx", linux.Symlinkat(text, dir, "ptmx"))
}
