package seccomp

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// directory is an open cache directory that passed the checks; entries are reached
// through its fd only.
type directory struct{ fd int }

// openDirectory opens path, or makes it with mode 0700.
func openDirectory(path string) (*directory, error) {
	const how = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Open(path, how, 0)
	if errors.Is(err, unix.ENOENT) {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
		fd, err = unix.Open(path, how, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if _, err := checkOwn(fd, unix.S_IFDIR); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &directory{fd}, nil
}

func (d *directory) close() {
	_ = unix.Close(d.fd) // read-only: nothing to lose
}

// checkOwn refuses what someone else could have written or may still write, and
// returns the size.
func checkOwn(fd int, kind uint32) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("stat: %w", err)
	}
	switch {
	case st.Mode&unix.S_IFMT != kind:
		return 0, errors.New("not used: of another file type")
	case int(st.Uid) != os.Geteuid():
		return 0, fmt.Errorf("not used: belongs to uid %d", st.Uid)
	case st.Mode&0o022 != 0:
		return 0, fmt.Errorf("not used: mode %#o lets others write", st.Mode&0o7777)
	}
	return st.Size, nil
}

// load returns the entry of key; nil without an error if there is none.
func (d *directory) load(key [sha256.Size]byte) (*Program, error) {
	// O_NONBLOCK: a FIFO in its place must not hang create.
	fd, err := unix.Openat(d.fd, hex.EncodeToString(key[:]), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open entry: %w", err)
	}
	defer unix.Close(fd)
	size, err := checkOwn(fd, unix.S_IFREG)
	if err != nil {
		return nil, fmt.Errorf("entry: %w", err)
	}
	if size > maxEntry {
		return nil, errors.New("entry: damaged, compiled again")
	}
	b := make([]byte, size)
	n, err := unix.Read(fd, b)
	if err != nil {
		return nil, fmt.Errorf("read entry: %w", err)
	}
	program := decodeEntry(key, b[:n])
	// Programs without a filter are not kept.
	if program == nil || len(program.Filter) == 0 {
		return nil, errors.New("entry: damaged, compiled again")
	}
	return program, nil
}

// tempCount keeps the names of temp files apart within a process.
var tempCount atomic.Uint32

const tempPrefix = ".new-"

// store writes the entry of key by a temp file and rename: readers see a whole
// entry or none. It is not synced: after a crash of the machine the sum tells.
func (d *directory) store(key [sha256.Size]byte, p *Program) error {
	entry := encodeEntry(key, p)
	if len(p.Filter) == 0 || len(entry) > maxEntry {
		return nil
	}
	temp := tempPrefix + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.Itoa(int(tempCount.Add(1)))
	if err := d.create(temp, entry); err != nil {
		return err
	}
	if err := unix.Renameat(d.fd, temp, d.fd, hex.EncodeToString(key[:])); err != nil {
		return errors.Join(fmt.Errorf("rename entry: %w", err), unix.Unlinkat(d.fd, temp, 0))
	}
	return d.evict()
}

func (d *directory) create(name string, data []byte) error {
	fd, err := unix.Openat(d.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("create entry: %w", err)
	}
	n, err := unix.Write(fd, data)
	if err == nil && n != len(data) {
		err = unix.ENOSPC
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return errors.Join(fmt.Errorf("write entry: %w", err), unix.Unlinkat(d.fd, name, 0))
	}
	return nil
}
