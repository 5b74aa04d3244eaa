package safepath

import (
	"syscall"

	"berth/internal/linux"
)

const (
	// maxLinks is the kernel's limit of links in one path (MAXSYMLINKS).
	maxLinks = 40
	// maxSwaps bounds how often one walk puts up with an object that changed
	// between two looks at it.
	maxSwaps = 128
)

// walk resolves a path one component at a time. It never opens ".." and never
// lets the kernel follow a link: it goes up by dropping the fd of the directory
// it came from last, and down by O_NOFOLLOW, so every fd it holds was reached
// from the root by single steps down.
type walk struct {
	flags   int
	resolve uint64
	// mkdir creates missing directories with mode, mkfile a missing last
	// component as an empty file.
	mkdir, mkfile bool
	mode          uint32

	dirs  []int // dirs[0] is the root, which the caller owns
	mount uint64
	links int
	swaps int
}

// run returns the fd of path, opened with w.flags.
func (w *walk) run(root int, path string) (int, error) {
	w.dirs = append(w.dirs[:0], root)
	defer w.leave(1)
	if w.resolve&linux.ResolveNoXdev != 0 {
		id, err := mountID(root)
		if err != nil {
			return -1, err
		}
		w.mount = id
	}
	if path[0] == '/' && w.resolve&linux.ResolveBeneath != 0 {
		return -1, syscall.EXDEV
	}
	for {
		name, rest := split(path)
		var err error
		switch {
		case name == "" || (name == "." && rest == ""):
			return w.reopenTop()
		case name == ".":
		case name == "..":
			err = w.up()
		default:
			fd, next, e := w.down(name, rest)
			if fd >= 0 {
				return fd, nil
			}
			rest, err = next, e
		}
		if err != nil {
			return -1, err
		}
		path = rest
	}
}

// top is the directory the walk stands in.
func (w *walk) top() int { return w.dirs[len(w.dirs)-1] }

// leave closes the directories above the first n.
func (w *walk) leave(n int) {
	for _, fd := range w.dirs[n:] {
		closeFD(fd)
	}
	w.dirs = w.dirs[:n]
}

func (w *walk) up() error {
	if len(w.dirs) > 1 {
		w.leave(len(w.dirs) - 1)
		return nil
	}
	if w.resolve&linux.ResolveBeneath != 0 {
		return syscall.EXDEV
	}
	return nil
}

// reopenTop returns an fd of its own for the directory the walk stands in.
func (w *walk) reopenTop() (int, error) {
	if w.mkfile {
		return -1, syscall.EISDIR
	}
	return linux.Openat(w.top(), ".", w.flags, 0)
}

// down takes one step. It returns an fd when name was the last component, else
// the path that is left to walk.
func (w *walk) down(name, rest string) (int, string, error) {
	last := rest == ""
	fd, err := linux.Openat(w.top(), name, linux.O_PATH|syscall.O_NOFOLLOW, 0)
	if err == syscall.ENOENT {
		return w.create(name, rest)
	}
	if err != nil {
		return -1, "", err
	}
	var st syscall.Stat_t
	err = syscall.Fstat(fd, &st)
	if err == nil {
		err = w.sameMount(fd)
	}
	if err != nil {
		closeFD(fd)
		return -1, "", err
	}
	kind := st.Mode & syscall.S_IFMT
	switch {
	case kind == syscall.S_IFLNK && (!last || w.flags&syscall.O_NOFOLLOW == 0):
		defer closeFD(fd)
		next, err := w.follow(fd, rest)
		return -1, next, err
	case last:
		return w.final(fd, name, kind)
	case kind != syscall.S_IFDIR:
		closeFD(fd)
		return -1, "", syscall.ENOTDIR
	}
	w.dirs = append(w.dirs, fd)
	return -1, rest, nil
}

// follow puts the text of the link fd in front of rest.
func (w *walk) follow(fd int, rest string) (string, error) {
	if w.links++; w.links > maxLinks || w.resolve&linux.ResolveNoSymlinks != 0 {
		return "", syscall.ELOOP
	}
	text, err := linux.Readlinkat(fd, "")
	if err != nil {
		return "", err
	}
	if text == "" {
		return "", syscall.ENOENT
	}
	magic, err := isMagic(fd, text)
	if err != nil {
		return "", err
	}
	if magic {
		return "", syscall.ELOOP
	}
	if text[0] == '/' {
		if w.resolve&linux.ResolveBeneath != 0 {
			return "", syscall.EXDEV
		}
		w.leave(1)
	}
	if rest != "" {
		// rest begins with the slash that ended the link's name.
		text += rest
	}
	return text, nil
}

// final turns the O_PATH fd of the last component, which it owns, into what the
// caller asked for.
func (w *walk) final(fd int, name string, kind uint32) (int, string, error) {
	if w.flags&syscall.O_DIRECTORY != 0 && kind != syscall.S_IFDIR {
		closeFD(fd)
		return -1, "", syscall.ENOTDIR
	}
	if w.mkfile && kind == syscall.S_IFDIR {
		closeFD(fd)
		return -1, "", syscall.EISDIR
	}
	if w.flags&linux.O_PATH != 0 {
		return fd, "", nil
	}
	closeFD(fd)
	got, err := linux.Openat(w.top(), name, w.flags|syscall.O_NOFOLLOW, 0)
	if err == syscall.ELOOP && w.flags&syscall.O_NOFOLLOW == 0 {
		return -1, name, w.swapped() // a link took its place: look again
	}
	if err != nil {
		return -1, "", err
	}
	if err := w.sameMount(got); err != nil {
		closeFD(got)
		return -1, "", err
	}
	return got, "", nil
}

// create makes the missing component name, if the walk is to make anything, and
// has it walked again.
func (w *walk) create(name, rest string) (int, string, error) {
	var err error
	switch {
	case w.mkfile && rest == "":
		// O_EXCL follows no link (open(2)).
		var fd int
		fd, err = linux.Openat(w.top(), name, syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW|syscall.O_WRONLY, w.mode)
		if err == nil {
			return fd, "", nil
		}
	case w.mkdir:
		mode := w.mode
		if w.mkfile {
			mode = 0o755
		}
		err = syscall.Mkdirat(w.top(), name, mode)
	default:
		return -1, "", syscall.ENOENT
	}
	if err != nil && err != syscall.EEXIST {
		return -1, "", err
	}
	return -1, name + rest, w.swapped()
}

// swapped counts a step that has to be taken again.
func (w *walk) swapped() error {
	if w.swaps++; w.swaps > maxSwaps+len(w.dirs)*2 {
		return syscall.EAGAIN
	}
	return nil
}

func (w *walk) sameMount(fd int) error {
	if w.resolve&linux.ResolveNoXdev == 0 {
		return nil
	}
	id, err := mountID(fd)
	if err == nil && id != w.mount {
		err = syscall.EXDEV
	}
	return err
}

// split cuts the first component off path. rest keeps the slash behind name, so
// that "a/" (a has to be a directory) differs from "a".
func split(path string) (name, rest string) {
	i := 0
	for i < len(path) && path[i] == '/' {
		i++
	}
	j := i
	for j < len(path) && path[j] != '/' {
		j++
	}
	return path[i:j], path[j:]
}

// isMagic tells a link of procfs that jumps to an object from one that has a
// mere text. The text of a jump is absolute or, as in "pipe:[1]", no path; the
// links that are texts (self, thread-self, mounts, net) are relative.
func isMagic(fd int, text string) (bool, error) {
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &fs); err != nil {
		return false, err
	}
	if fs.Type != linux.ProcSuperMagic {
		return false, nil
	}
	if text[0] == '/' {
		return true, nil
	}
	for i := 0; i < len(text); i++ {
		if text[i] == ':' {
			return true, nil
		}
	}
	return false, nil
}

// mountID identifies the mount that fd is on. Before v5.8 the device number has
// to do, which cannot tell two mounts of one file system apart.
func mountID(fd int) (uint64, error) {
	id, err := linux.MountID(fd)
	if err == nil {
		return id, nil
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return 0, err
	}
	return st.Dev, nil
}

func closeFD(fd int) {
	_ = syscall.Close(fd) // nothing is written through these fds
}
