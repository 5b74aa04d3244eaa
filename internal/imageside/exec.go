package imageside

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrMissing is what Exec and Commands say in a berth that was built without the
// image program.
const ErrMissing = missing("this berth was built without its image side")

// missing is a constant, so that no verb pays for its making.
type missing string

func (m missing) Error() string { return string(m) }

// Hint is the line after the error.
func (missing) Hint() string { return "build it with make" }

// Exec replaces this process by the image program with berth's arguments; args[0]
// is the name. It returns only with an error.
func Exec(args []string) error {
	self, err := unix.Open("/proc/self/exe", unix.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("open own binary: %w", err)
	}
	defer unix.Close(self)
	file, err := open()
	if err != nil {
		return err
	}
	defer unix.Close(file)
	argv := slices.Concat(args[:1], []string{"--runtime-fd=" + strconv.Itoa(self)}, args[1:])
	// syscall.Exec gives the limit of open files back that Go's runtime has raised.
	err = syscall.Exec("/proc/self/fd/"+strconv.Itoa(file), argv, os.Environ())
	return fmt.Errorf("execute the image program: %w", err)
}

// open returns the program as a file that can be executed, close-on-exec.
func open() (int, error) {
	if len(program) == 0 {
		return -1, ErrMissing
	}
	fd, err := memory()
	if err == nil {
		return fd, nil
	}
	// vm.memfd_noexec=2 forbids executable memory files (since v6.3).
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/run", os.TempDir(), "/var/tmp"} {
		if dir == "" {
			continue
		}
		if fd, e := unnamed(dir); e == nil {
			return fd, nil
		}
	}
	return -1, err
}

// memory is a sealed memfd: nobody can change what is executed.
func memory() (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("berth-image", flags|unix.MFD_EXEC)
	if err == unix.EINVAL { // before v6.3
		fd, err = unix.MemfdCreate("berth-image", flags)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd for the image program: %w", err)
	}
	if err := fill(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("seal the image program: %w", err)
	}
	return fd, nil
}

// unnamed is a file without a name in dir, on a file system that lets it be executed.
func unnamed(dir string) (int, error) {
	writing, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o500)
	if err != nil {
		return -1, err
	}
	defer unix.Close(writing)
	if err := fill(writing); err != nil {
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

func fill(fd int) error {
	for rest := program; len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("copy the image program: %w", err)
		}
		rest = rest[max(n, 0):]
	}
	return nil
}
