package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// mountBind clones a part of the host's tree into the root. Before Enter the
// source is a path of the host's, named by the administrator; data, which
// mount(2) ignores for binds too, is not looked at.
func (r *Root) mountBind(m *wire.Mount) error {
	if m.CopySymlink && m.FD < 0 {
		done, err := r.copyLink(m)
		if done || err != nil {
			return err
		}
	}
	if r.legacy && m.FD < 0 {
		return r.bindLegacy(m)
	}
	tree := m.FD
	if tree < 0 {
		var err error
		if tree, err = openSource(m); err != nil {
			return r.explainBind(m, linux.Wrap("open source", err))
		}
		defer closeFD(tree)
	}
	if err := checkSource(m, tree); err != nil {
		return err
	}
	t, err := r.openTarget(m, isDir(tree))
	if err != nil {
		return err
	}
	defer closeFD(t.fd)
	if err := r.setAttrs(tree, m); err != nil {
		return err
	}
	return r.attach(m, tree, t.fd)
}

// openSource returns a detached clone of the source.
func openSource(m *wire.Mount) (int, error) {
	flags := uint(linux.OpenTreeClone)
	if m.Recursive {
		flags |= linux.AtRecursive
	}
	if m.SrcNofollow {
		flags |= linux.AtSymlinkNofollow
	}
	return linux.OpenTree(linux.AT_FDCWD, m.Source, flags)
}

// explainBind adds the cure to the kernel's bare EINVAL: what another user
// namespace mounted over a part of the source must not be uncovered.
func (r *Root) explainBind(m *wire.Mount, err error) error {
	if r.opts.UserNS && !m.Recursive && errno(err) == syscall.EINVAL {
		return linux.Wrap("in a user namespace a source with mounts below it can only be bound with them (rbind)", err)
	}
	return err
}

// checkSource lets nothing but a procfs be bound on /proc.
func checkSource(m *wire.Mount, tree int) error {
	if cleanPath(m.Destination) != "/proc" {
		return nil
	}
	magic, err := fsType(tree)
	if err != nil {
		return err
	}
	if magic != linux.ProcSuperMagic {
		return &safepath.Refusal{Object: "/proc", Reason: "it cannot be mounted because it is not of type proc"}
	}
	return nil
}

// copyLink makes the destination a link with the text of the source, when that is
// a link. One that is already there has to have the same text.
func (r *Root) copyLink(m *wire.Mount) (done bool, err error) {
	text, err := linux.Readlinkat(linux.AT_FDCWD, m.Source)
	if err == syscall.EINVAL {
		return false, nil // no link: an ordinary bind
	}
	if err != nil {
		return false, linux.Wrap("read source", err)
	}
	path, name := splitLast(cleanPath(m.Destination))
	dir, err := safepath.MkdirAll(r.fd, path, 0o755)
	if err != nil {
		return false, linux.Wrap("open destination", err)
	}
	defer closeFD(dir)
	err = linux.Symlinkat(text, dir, name)
	if err == syscall.EEXIST {
		if old, e := linux.Readlinkat(dir, name); e == nil && old == text {
			err = nil
		}
	}
	return true, linux.Wrap("create symlink to "+text, err)
}
