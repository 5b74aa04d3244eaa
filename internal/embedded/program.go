package embedded

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Program is an ELF file in memory.
type Program struct {
	// Name is what ps(1) shows.
	Name string
	// Bytes is a pointer so that the linker makes the variables below, and no init
	// function at every start.
	Bytes *[]byte
}

// The programs. Only tests put others in their place.
var (
	Image    = Program{"berth-image", &image}
	Compiler = Program{"berth-seccomp", &compiler}
)

// Missing tells that berth was built without the program.
func (p Program) Missing() bool { return len(*p.Bytes) == 0 }

// Open returns the program as a file that can be executed, close-on-exec. Nobody
// can change what it holds.
func (p Program) Open() (int, error) {
	fd, err := p.memory()
	if err == nil {
		return fd, nil
	}
	// vm.memfd_noexec=2 forbids executable memory files (since v6.3).
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/run", os.TempDir(), "/var/tmp"} {
		if dir == "" {
			continue
		}
		if fd, e := p.unnamed(dir); e == nil {
			return fd, nil
		}
	}
	return -1, err
}

// memory is a sealed memfd.
func (p Program) memory() (int, error) {
	fd, err := Memfd(p.Name)
	if err != nil {
		return -1, fmt.Errorf("memfd for %s: %w", p.Name, err)
	}
	if err := p.fill(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if err := Seal(fd); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("seal %s: %w", p.Name, err)
	}
	return fd, nil
}

// unnamed is a file without a name in dir, on a file system that lets it be executed.
func (p Program) unnamed(dir string) (int, error) {
	writing, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o500)
	if err != nil {
		return -1, err
	}
	defer unix.Close(writing)
	if err := p.fill(writing); err != nil {
		return -1, err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(writing, &fs); err != nil {
		return -1, err
	}
	if fs.Flags&unix.ST_NOEXEC != 0 {
		return -1, unix.EACCES
	}
	// Not executable while it is open for writing (ETXTBSY).
	return unix.Open("/proc/self/fd/"+strconv.Itoa(writing), unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

func (p Program) fill(fd int) error {
	for rest := *p.Bytes; len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("copy %s: %w", p.Name, err)
		}
		rest = rest[max(n, 0):]
	}
	return nil
}
