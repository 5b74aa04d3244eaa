package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// Format is how a layer's deletions are written.
type Format int

const (
	// Overlay is one directory per layer as overlayfs stacks them: a deleted name is
	// a character device 0:0, and trusted.overlay.opaque hides what lies below a
	// directory.
	Overlay Format = iota
	// OverlayUser is Overlay for mounts with the option userxattr:
	// user.overlay.opaque, since trusted.* cannot be set in a user namespace.
	OverlayUser
	// Flat applies layers on top of each other in one directory: what a layer
	// deletes is removed.
	Flat
)

// ApplyOptions say how a layer is applied. The zero value makes overlay's format as
// root.
type ApplyOptions struct {
	Format Format
	// UserNS says that the process is root of a user namespace only: devices, which
	// nobody can make there, are left out and listed in ApplyResult.Skipped, and
	// trusted.* attributes are dropped.
	UserNS bool
	// Squash gives every file to the calling user: for namespaces with one id.
	Squash bool
	// Lower returns the directories of the layers below, topmost first, when a hard
	// link goes to a file of theirs, or the layer hides all of them. It may wait until
	// they are complete. They stay the caller's. nil: such a layer is an error.
	Lower  func(ctx context.Context) ([]*os.File, error)
	Limits Limits
}

// ApplyResult says what a layer held.
type ApplyResult struct {
	Entries int64
	// Bytes is the content of all files.
	Bytes int64
	// Implied are directories that no entry names but that entries lie in, sorted;
	// "." is the root. In overlay's format they hide the metadata that the layers
	// below give these directories: see Inherit.
	Implied []string
	// Whiteouts are the directories with marks of deleted names, sorted; "." is the
	// root. Nil in a Flat tree. See DropNeedless.
	Whiteouts []string
	// Skipped are the first few entries that cannot be made in a user namespace.
	Skipped []string
}

// Apply reads the tar archive of a layer to its end and makes its files below dir,
// which has to be empty for the overlay formats. What was there before may stand in
// the way of a Flat layer: it is replaced, as layer.md says.
//
// After an error dir holds a part of the layer. Errors name the entry; a
// *safepath.Refusal is an archive that nobody packs in good faith, a *LimitError one
// that is too large.
func Apply(ctx context.Context, dir *os.File, archive io.Reader, o ApplyOptions) (ApplyResult, error) {
	a, err := newApplier(ctx, dir, o)
	if err != nil {
		return ApplyResult{}, err
	}
	err = a.run(&stream{ctx: ctx, r: archive, left: a.limits.Bytes, most: a.limits.Bytes})
	// The writers use the open directories: they end first.
	if failed := a.queue.close(); err == nil || errors.Is(err, errQueue) {
		err = failed
	}
	a.forget()
	if err == nil && a.emptyRoot {
		err = a.hideRoot()
	}
	if err == nil {
		err = a.stampAll()
	}
	a.result.Implied = slices.Sorted(maps.Keys(a.implied))
	a.result.Whiteouts = slices.Sorted(maps.Keys(a.marked))
	return a.result, err
}

// ErrNoArchive is the answer to bytes that are nothing like a tar archive.
var ErrNoArchive = errors.New("it is no tar archive")

// applier is one run of Apply. Its methods run on the goroutine of the caller, but
// for writeFile.
type applier struct {
	ctx    context.Context
	opts   ApplyOptions
	limits Limits
	root   int

	umask      uint32
	euid, egid int
	// sameMode tells that what open(2) and mkdir(2) are given as mode is what they
	// make, apart from the umask: no ACL is inherited.
	sameMode bool

	queue   *queue
	folders map[string]*folder
	stamps  map[string]times    // directories whose times are set at the end
	implied map[string]struct{} // directories no entry has named so far
	marked  map[string]struct{} // directories with whiteouts
	mine    map[string]struct{} // Flat: what this layer holds, and so cannot delete
	emptied map[string]struct{} // Flat: directories without anything of others
	// emptyRoot: the layer hides all that those below have.
	emptyRoot bool
	names     int64 // bytes of all paths
	current   times // of the entry that is being made
	block     []byte
	result    ApplyResult
}

func newApplier(ctx context.Context, dir *os.File, o ApplyOptions) (*applier, error) {
	a := &applier{
		ctx: ctx, opts: o, limits: o.Limits.orDefault(), root: int(dir.Fd()),
		euid: os.Geteuid(), egid: os.Getegid(),
		folders: map[string]*folder{},
		stamps:  map[string]times{},
		implied: map[string]struct{}{},
		marked:  map[string]struct{}{},
		block:   make([]byte, blockSize),
	}
	var err error
	if a.umask, err = readUmask(); err != nil {
		return nil, err
	}
	_, err = unix.Fgetxattr(a.root, "system.posix_acl_default", nil)
	a.sameMode = errors.Is(err, syscall.ENODATA) || errors.Is(err, syscall.ENOTSUP)
	if o.Format == Flat {
		a.mine, a.emptied = map[string]struct{}{}, map[string]struct{}{}
	} else {
		if err := a.settleImplied(a.root, false); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", dir.Name(), err)
		}
		a.implied["."] = struct{}{}
	}
	a.queue = newQueue(min(4, runtime.GOMAXPROCS(0)), a.writeFile)
	return a, nil
}

// run reads the archive.
func (a *applier) run(s *stream) error {
	r := tar.NewReader(s)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, tar.ErrHeader) && a.result.Entries == 0 {
			return ErrNoArchive
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if a.result.Entries++; a.result.Entries > a.limits.Entries {
			return &LimitError{"entries", a.limits.Entries}
		}
		if len(a.folders) > maxFolders {
			a.forget()
		}
		if err := a.entry(h, r); err != nil {
			var refusal *safepath.Refusal
			var limit *LimitError
			if errors.As(err, &refusal) || errors.As(err, &limit) || errors.Is(err, errQueue) {
				return err
			}
			return fmt.Errorf("apply %s: %w", quote(h.Name), err)
		}
	}
	if err := a.queue.drain(); err != nil {
		return err
	}
	// The digest of the layer covers what comes after the end of the archive, too.
	_, err := io.Copy(io.Discard, s)
	return err
}

// entry makes one entry.
func (a *applier) entry(h *tar.Header, content io.Reader) error {
	e, err := a.check(h)
	if err != nil {
		return err
	}
	a.current = entryTimes(h)
	if len(a.stamps) == 0 && e.path != "" && a.opts.Format != Flat {
		a.stamps[""] = a.current // until an entry names the root
	}
	if e.path == "" {
		return a.makeRoot(&e)
	}
	if strings.HasPrefix(e.base, whiteoutPrefix) || underMeta(e.dir) {
		return a.whiteout(&e)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		err = a.makeDir(&e)
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		err = a.makeFile(&e, content)
	case tar.TypeLink:
		err = a.makeLink(&e)
	case tar.TypeSymlink:
		err = a.makeSymlink(&e)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		err = a.makeNode(&e)
	default:
		err = fmt.Errorf("entries of type %q are not known", h.Typeflag)
	}
	if err == nil {
		a.remember(e.path)
	}
	return err
}

// remember notes what a Flat layer holds: the path and the directories above it.
func (a *applier) remember(path string) {
	if a.mine == nil {
		return
	}
	for path != "" {
		if _, known := a.mine[path]; known {
			return
		}
		a.mine[path] = struct{}{}
		path, _ = split(path)
	}
}
