package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"berth/image"
	"berth/internal/idmap"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// Options says how a store is opened.
type Options struct {
	// Dir is where the store is, DefaultDir when empty. It is made if missing.
	Dir string
	// ReadOnly refuses everything that writes, and makes nothing. A directory that
	// is not there is then an empty store.
	ReadOnly bool
	// Quota bounds the bytes of blobs and unpacked layers; 0 is no bound.
	Quota int64
	// Waiting is told, once, what a call waits for; nil is silent.
	Waiting func(what string)
}

// Store is an open store. Its methods may be called from several goroutines.
type Store struct {
	options Options

	root       *dir
	sha256     *dir // blobs/sha256
	sha512     *dir
	ingest     *dir
	layers     *dir
	tmp        *dir
	containers *dir
	cache      *dir

	mu sync.Mutex
	// uses counts the Use()s of this handle: gc by the same process would wait for itself.
	uses int
	// unsynced are the layers that were made, or found, without a syncfs.
	unsynced map[digest.Digest]bool
	boot     string
	// booted is when the machine was started.
	booted time.Time
}

// DefaultDir is where the store of this user is: /var/lib/berth for root,
// $XDG_DATA_HOME/berth for others.
func DefaultDir() (string, error) {
	if os.Geteuid() == 0 && !idmap.Inside() { // root there is an ordinary user of the host
		return "/var/lib/berth", nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "berth"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return "", errors.New("store: neither XDG_DATA_HOME nor HOME says where it is; name it with --store")
	}
	return filepath.Join(home, ".local/share/berth"), nil
}

// Open opens a store and makes what is missing of it.
func Open(o Options) (*Store, error) {
	if o.Dir == "" {
		path, err := DefaultDir()
		if err != nil {
			return nil, err
		}
		o.Dir = path
	}
	path, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", o.Dir, err)
	}
	o.Dir = path
	s := &Store{options: o, unsynced: map[digest.Digest]bool{}, boot: bootID(), booted: bootTime()}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), s.Close())
	}
	return s, nil
}

func (s *Store) open() error {
	if !s.options.ReadOnly {
		if err := os.MkdirAll(s.options.Dir, 0o700); err != nil {
			return err
		}
	}
	root, err := openDir(s.options.Dir)
	if err != nil {
		if s.options.ReadOnly && notExist(err) {
			return nil
		}
		return err
	}
	s.root = root
	if err := s.checkOwner(); err != nil {
		return err
	}
	if err := s.checkVersion(); err != nil {
		return err
	}
	blobs, err := s.place(root, "blobs")
	if err != nil || blobs == nil {
		return err
	}
	defer blobs.f.Close()
	for _, p := range []struct {
		in   *dir
		name string
		to   **dir
	}{
		{blobs, "sha256", &s.sha256}, {blobs, "sha512", &s.sha512},
		{root, "ingest", &s.ingest}, {root, "layers", &s.layers}, {root, "tmp", &s.tmp},
		{root, "containers", &s.containers}, {root, "cache", &s.cache},
	} {
		if *p.to, err = s.place(p.in, p.name); err != nil {
			return err
		}
	}
	return nil
}

// place opens a directory of the store; nil when it is missing from one that is
// only read.
func (s *Store) place(in *dir, name string) (*dir, error) {
	if !s.options.ReadOnly {
		return in.make(name)
	}
	d, err := in.sub(name)
	if notExist(err) {
		return nil, nil
	}
	return d, err
}

// checkOwner refuses to write to a store that somebody else can change: he would give
// whoever trusts it other layers than the digests say, or links in the place of its
// directories. Reading checks digests itself.
func (s *Store) checkOwner() error {
	if s.options.ReadOnly {
		return nil
	}
	st, err := s.root.stat(".")
	if err != nil {
		return err
	}
	switch me := os.Geteuid(); {
	case int(st.Uid) != me && st.Uid != 0:
		return fmt.Errorf("%s belongs to user %d, not to %d: name another directory with --store", s.root.path, st.Uid, me)
	case st.Mode&0o002 != 0:
		return fmt.Errorf("%s can be written to by everybody: chmod it to 0700", s.root.path)
	}
	return nil
}

const layoutFile = `{"imageLayoutVersion":"1.0.0"}` + "\n"

// checkVersion makes sure that the directory is a store, or becomes one.
func (s *Store) checkVersion() error {
	const name = "oci-layout"
	raw, err := s.root.read(name, image.MaxManifest)
	switch {
	case err == nil:
		return checkLayoutVersion(s.root.join(name), raw)
	case !notExist(err):
		return err
	case s.options.ReadOnly:
		return nil
	}
	if err := s.mayBecomeStore(); err != nil {
		return err
	}
	tmp, err := s.root.make("tmp")
	if err != nil {
		return err
	}
	defer tmp.f.Close()
	return s.root.replace(tmp, name, []byte(layoutFile), 0o444)
}

// mayBecomeStore refuses a directory that has other things in it: gc removes what
// it does not know.
func (s *Store) mayBecomeStore() error {
	names, err := s.root.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		switch name {
		case "tmp", "blobs", "ingest", "layers", "containers", "cache", useLock, gateLock, "oci-layout", "lost+found":
		default:
			return fmt.Errorf("%s is not a store: it has %q and no oci-layout", s.root.path, name)
		}
	}
	return nil
}

// Close gives the store up.
func (s *Store) Close() error {
	var err error
	for _, d := range []*dir{s.root, s.sha256, s.sha512, s.ingest, s.layers, s.tmp, s.containers, s.cache} {
		if d != nil {
			err = errors.Join(err, d.close())
		}
	}
	return err
}

// Dir is the absolute path of the store.
func (s *Store) Dir() string { return s.options.Dir }

// writable refuses a store that was opened for reading.
func (s *Store) writable() error {
	if s.options.ReadOnly {
		return ErrReadOnly
	}
	return nil
}

func (s *Store) waiting(what string) {
	if s.options.Waiting != nil {
		s.options.Waiting(what)
	}
}

// bootTime is when the machine was started, or the zero time when the kernel does
// not tell.
func bootTime() time.Time {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(now.Nano()))
}

// bootID names this boot of the machine. Where the kernel does not tell, it is
// empty, and layers count only when synced.
func bootID() string {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(raw) < 36 {
		return ""
	}
	return string(raw[:36])
}

// TempDir is a directory on the store's file system for files that have no name, or
// that gc may remove once nobody holds Use.
func (s *Store) TempDir() string { return s.tmp.path }
