package safepath

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"berth/internal/linux"
)

// What is not a regular file is not opened, not even to see that it is not: the
// devices here have no driver, so that open(2) would answer ENXIO.
func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	root, err := linux.Openat(linux.AT_FDCWD, dir, linux.O_PATH|syscall.O_DIRECTORY, 0)
	must(t, err)
	t.Cleanup(func() { closeFD(root) })
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("text"), 0o600))
	must(t, os.Symlink("/f", filepath.Join(dir, "link")))
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	must(t, os.Symlink("/fifo", filepath.Join(dir, "to-fifo")))
	refused := []string{"d", "fifo", "to-fifo"}
	const unused = 60<<8 | 1 // devices.txt: 60-63 are for local use
	for name, kind := range map[string]uint32{"c": syscall.S_IFCHR, "b": syscall.S_IFBLK} {
		switch err := syscall.Mknod(filepath.Join(dir, name), kind|0o666, unused); {
		case errors.Is(err, syscall.EPERM):
			t.Log("devices cannot be made here: they are left out")
		default:
			must(t, err)
			refused = append(refused, name)
		}
	}
	for _, name := range []string{"f", "link", "../../f"} {
		fd, err := OpenRegular(root, name)
		must(t, err)
		var text [8]byte
		if n, err := syscall.Read(fd, text[:]); err != nil || string(text[:n]) != "text" {
			t.Errorf("%s: %q, %v", name, text[:n], err)
		}
		closeFD(fd)
	}
	for _, name := range refused {
		if _, err := OpenRegular(root, name); !IsRefusal(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenRegular(root, "none"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("what is missing: %v", err)
	}
}
