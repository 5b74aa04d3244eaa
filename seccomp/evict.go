package seccomp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxEntries is how many profiles are kept; some 10 KiB each.
	maxEntries = 256
	// tempAge is when a temp file's writer is taken for dead.
	tempAge = time.Hour
)

// file is one file of the cache.
type file struct {
	name string
	made int64 // nanoseconds
}

// evict removes the entries written first until maxEntries are left, and temp
// files that writers left behind. Files it does not know it leaves alone. Two
// processes may evict at once: what is gone already is no error.
func (d *directory) evict() error {
	names, err := d.names()
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	dead := time.Now().Add(-tempAge).UnixNano()
	var entries []file
	var gone []string
	for _, name := range names {
		temp := strings.HasPrefix(name, tempPrefix)
		if !temp && (len(names) <= maxEntries || len(name) != 2*sha256.Size) {
			continue
		}
		var st unix.Stat_t
		if unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		switch made := st.Mtim.Nano(); {
		case !temp:
			entries = append(entries, file{name, made})
		case made < dead:
			gone = append(gone, name)
		}
	}
	if surplus := len(entries) - maxEntries; surplus > 0 {
		slices.SortFunc(entries, func(a, b file) int { return int(min(max(a.made-b.made, -1), 1)) })
		for _, f := range entries[:surplus] {
			gone = append(gone, f.name)
		}
	}
	for _, name := range gone {
		if err := unix.Unlinkat(d.fd, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("evict: %w", err)
		}
	}
	return nil
}

// names lists the directory through a description of its own: one that is shared
// keeps its read position.
func (d *directory) names() ([]string, error) {
	fd, err := unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	list := os.NewFile(uintptr(fd), "seccomp cache")
	defer list.Close() // read-only
	return list.Readdirnames(-1)
}
