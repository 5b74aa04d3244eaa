package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"berth/internal/linux"
	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// DiffOptions say how a directory becomes a layer.
type DiffOptions struct {
	// SourceDateEpoch is the latest time an entry may have; later ones become it
	// (reproducible-builds.org).
	SourceDateEpoch *time.Time
	// Lower are the directories of the layers below, topmost first. With them,
	// whiteouts of what is not there are left out: overlayfs marks every new
	// directory as opaque. nil: all are kept.
	Lower []*os.File
}

// DiffResult says what the layer holds.
type DiffResult struct {
	Entries int64
	Bytes   int64 // content of all files
}

// Diff writes the upper directory of an overlay, or a plain directory, as the tar
// archive of a layer (layer.md): deleted names as whiteouts, opaque directories,
// hard links within the directory, extended attributes. The same tree gives the same
// bytes, whatever the order on disk: names are sorted, times are whole seconds, no
// names of users. Owners are those that the process sees: that of a user calls it in
// the user namespace whose they are.
//
// Sockets are left out, as by everybody. A directory that overlayfs renamed with
// redirect_dir, or a file that it copied up with metacopy, cannot be expressed: it is
// an error.
func Diff(ctx context.Context, upper *os.File, w io.Writer, o DiffOptions) (DiffResult, error) {
	d := &differ{ctx: ctx, opts: o, w: tar.NewWriter(w), links: map[inode]string{}, block: make([]byte, blockSize)}
	err := d.root(int(upper.Fd()))
	if err == nil {
		err = d.w.Close()
	}
	return d.result, err
}

type inode struct{ dev, ino uint64 }

type differ struct {
	ctx    context.Context
	opts   DiffOptions
	w      *tar.Writer
	links  map[inode]string // first name of files that have several
	block  []byte
	result DiffResult
}

// root writes the directory itself only when it is not what a layer without an entry
// for it means.
func (d *differ) root(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat the directory: %w", err)
	}
	below := unix.Stat_t{Mode: unix.S_IFDIR | 0o755}
	if len(d.opts.Lower) > 0 {
		if err := unix.Fstat(int(d.opts.Lower[0].Fd()), &below); err != nil {
			return fmt.Errorf("stat the layer below: %w", err)
		}
	}
	if st.Mode != below.Mode || st.Uid != below.Uid || st.Gid != below.Gid {
		if err := d.header("./", fd, &st, tar.TypeDir, ""); err != nil {
			return err
		}
	}
	return d.children(fd, "")
}

// children writes what is in a directory, in the order of the names' bytes.
func (d *differ) children(fd int, path string) error {
	names, err := listDir(fd)
	if err != nil {
		return fmt.Errorf("list %s: %w", quote("/"+path), err)
	}
	for _, name := range names {
		if d.ctx.Err() != nil {
			return context.Cause(d.ctx)
		}
		if err := d.child(fd, name, join(path, name)); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) child(dir int, name, path string) error {
	if strings.HasPrefix(name, whiteoutPrefix) {
		return fmt.Errorf("%s: a layer cannot hold a name that begins with %s", quote(path), whiteoutPrefix)
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("stat %s: %w", quote(path), err)
	}
	kind := st.Mode & unix.S_IFMT
	var err error
	switch {
	case kind == unix.S_IFSOCK:
		return nil
	case isWhiteout(&st):
		return d.whiteout(path, &st)
	case kind == unix.S_IFDIR:
		return d.dir(dir, name, path)
	}
	if st.Nlink > 1 {
		key := inode{uint64(st.Dev), st.Ino} //nolint:unconvert // its type is not the same everywhere
		if first, ok := d.links[key]; ok {
			return d.header(path, -1, &st, tar.TypeLink, first)
		}
		d.links[key] = path
	}
	switch kind {
	case unix.S_IFREG:
		return d.file(dir, name, path, &st)
	case unix.S_IFLNK:
		var target string
		if target, err = linux.Readlinkat(dir, name); err != nil {
			return fmt.Errorf("read link %s: %w", quote(path), err)
		}
		return d.header(path, -1, &st, tar.TypeSymlink, target)
	case unix.S_IFCHR:
		return d.header(path, -1, &st, tar.TypeChar, "")
	case unix.S_IFBLK:
		return d.header(path, -1, &st, tar.TypeBlock, "")
	case unix.S_IFIFO:
		return d.header(path, -1, &st, tar.TypeFifo, "")
	}
	return fmt.Errorf("%s: its type %#o is not known", quote(path), kind)
}

// whiteout writes the mark of a deleted name.
func (d *differ) whiteout(path string, st *unix.Stat_t) error {
	if d.opts.Lower != nil {
		fd, err := lookup(d.opts.Lower, path)
		if errors.Is(err, syscall.ENOENT) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look up %s in the layers below: %w", quote(path), err)
		}
		_ = unix.Close(fd) // an O_PATH fd
	}
	dir, base := split(path)
	return d.mark(join(dir, whiteoutPrefix+base), st)
}

func (d *differ) mark(name string, st *unix.Stat_t) error {
	d.result.Entries++
	return d.write(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, ModTime: d.time(st), Format: tar.FormatPAX})
}

func (d *differ) dir(parent int, name, path string) error {
	fd, err := openSub(parent, name)
	if err != nil {
		return fmt.Errorf("open %s: %w", quote(path), err)
	}
	defer unix.Close(fd) // opened for reading
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat %s: %w", quote(path), err)
	}
	if hasOverlay(fd, "redirect") {
		return fmt.Errorf("%s: overlayfs renamed it with redirect_dir, which a layer cannot express", quote(path))
	}
	if err := d.header(path+"/", fd, &st, tar.TypeDir, ""); err != nil {
		return err
	}
	if isOpaque(fd) && d.dirBelow(path) {
		if err := d.mark(join(path, whiteoutOpaque), &st); err != nil {
			return err
		}
	}
	return d.children(fd, path)
}

// dirBelow tells whether the layers below have a directory that an opaque one hides.
func (d *differ) dirBelow(path string) bool {
	if d.opts.Lower == nil {
		return true
	}
	is, err := hasDir(d.opts.Lower, path)
	return is || err != nil // one mark too many does no harm
}

func (d *differ) file(dir int, name, path string, want *unix.Stat_t) error {
	fd, err := openSame(dir, name, want)
	if err != nil {
		if safepath.IsRefusal(err) {
			return err
		}
		return fmt.Errorf("open %s: %w", quote(path), err)
	}
	defer unix.Close(fd) // opened for reading
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat %s: %w", quote(path), err)
	}
	if hasOverlay(fd, "metacopy") {
		return fmt.Errorf("%s: overlayfs copied it up with metacopy, its content is in another layer", quote(path))
	}
	if err := d.header(path, fd, &st, tar.TypeReg, ""); err != nil {
		return err
	}
	for left := st.Size; left > 0; {
		n, err := unix.Read(fd, d.block[:min(left, blockSize)])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			err = errors.New("another process shortened it while the layer was made")
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", quote(path), err)
		}
		if _, err := d.w.Write(d.block[:n]); err != nil {
			return fmt.Errorf("write %s: %w", quote(path), err)
		}
		left -= int64(n)
	}
	d.result.Bytes += st.Size
	return nil
}

// openSame opens a regular file that was looked at before. A container that runs can
// put another in its place, a device of the host too, whose open alone has effects: so
// nothing is opened but what was seen.
func openSame(dir int, name string, want *unix.Stat_t) (int, error) {
	at, err := linux.Openat(dir, name, linux.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(at) // O_PATH
	var st unix.Stat_t
	if err := unix.Fstat(at, &st); err != nil {
		return -1, err
	}
	if st.Ino != want.Ino || st.Dev != want.Dev || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return -1, &safepath.Refusal{Object: quote(name), Reason: "another process replaced it while the layer was made"}
	}
	return linux.Openat(linux.AT_FDCWD, procFD(at), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

// header writes the header of a file; fd is -1 for what has no attributes.
func (d *differ) header(name string, fd int, st *unix.Stat_t, kind byte, target string) error {
	h := &tar.Header{
		Typeflag: kind, Name: name, Linkname: target,
		Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid), ModTime: d.time(st),
		// PAX, also for what fits older headers: never GNU's formats.
		Format: tar.FormatPAX,
	}
	switch kind {
	case tar.TypeReg:
		h.Size = st.Size
	case tar.TypeChar, tar.TypeBlock:
		h.Devmajor, h.Devminor = int64(unix.Major(uint64(st.Rdev))), int64(unix.Minor(uint64(st.Rdev))) //nolint:unconvert // its type is not the same everywhere
	}
	if fd >= 0 {
		list, err := readXattrs(fd, false)
		if err != nil {
			return fmt.Errorf("%s: %w", quote(name), err)
		}
		for _, x := range list {
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			if x.name == "security.capability" {
				x.value = plainCapability(x.value)
			}
			h.PAXRecords[paxXattr+x.name] = x.value
		}
	}
	d.result.Entries++
	return d.write(h)
}

func (d *differ) write(h *tar.Header) error {
	if err := d.w.WriteHeader(h); err != nil {
		return fmt.Errorf("write %s: %w", quote(h.Name), err)
	}
	return nil
}

// time is the time of modification as layers have it: whole seconds, as docker's,
// which older headers hold.
func (d *differ) time(st *unix.Stat_t) time.Time {
	t := time.Unix(st.Mtim.Unix()).Truncate(time.Second)
	if e := d.opts.SourceDateEpoch; e != nil && t.After(*e) {
		return e.Truncate(time.Second)
	}
	return t
}

// plainCapability makes a file capability of the third version, which belongs to one
// user namespace, one of the second, which belongs to root of whatever namespace the
// layer is unpacked in (linux/capability.h, struct vfs_ns_cap_data).
func plainCapability(value string) string {
	const rev2, rev3, size2, size3 = "\x02", '\x03', 20, 24
	if len(value) != size3 || value[3] != rev3 {
		return value
	}
	return value[:3] + rev2 + value[4:size2]
}

// hasOverlay tells whether overlayfs left the attribute on a file.
func hasOverlay(fd int, name string) bool {
	for _, space := range []string{"trusted.overlay.", "user.overlay."} {
		if _, err := unix.Fgetxattr(fd, space+name, nil); err == nil {
			return true
		}
	}
	return false
}
