package state

import (
	"errors"
	"fmt"

	"berth/internal/lazyjson"

	"golang.org/x/sys/unix"
)

// Save replaces the state file. The caller holds the lock.
func (d *Dir) Save(s *State) error {
	s.Version = Version
	data, err := lazyjson.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode state of %s: %w", d.ID, err)
	}
	return d.replace(StateFile, data)
}

// Load reads the state file: an IncompleteError when there is none or it is
// damaged, another error when a newer berth wrote it.
func (d *Dir) Load() (*State, error) {
	var l loader
	s, err := l.load(d.fd, StateFile)
	if err != nil {
		return nil, d.loadError(err)
	}
	return s, nil
}

func (d *Dir) loadError(err error) error {
	var newer *newerError
	if errors.As(err, &newer) {
		return fmt.Errorf("state of %s: %w", d.ID, err)
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, errDamaged) {
		return &IncompleteError{ID: d.ID, Err: err}
	}
	return fmt.Errorf("read %s/%s: %w", d.Path, StateFile, err)
}

// SaveConfig keeps the bytes of config.json. The caller holds the lock.
func (d *Dir) SaveConfig(raw []byte) error { return d.replace(ConfigFile, raw) }

// LoadConfig returns the bytes of config.json.
func (d *Dir) LoadConfig() ([]byte, error) {
	raw, err := readAt(d.fd, ConfigFile, nil)
	if err != nil {
		return nil, fmt.Errorf("read %s/%s: %w", d.Path, ConfigFile, err)
	}
	return raw, nil
}

// replace writes a file so that a reader, or the next boot, sees the old or the
// new content whole.
func (d *Dir) replace(name string, data []byte) error {
	temp := "." + name + ".new" // one writer: the lock's holder
	if err := d.write(temp, data); err != nil {
		return fmt.Errorf("write %s/%s: %w", d.Path, name, err)
	}
	if err := unix.Renameat(d.fd, temp, d.fd, name); err != nil {
		return fmt.Errorf("rename %s/%s: %w", d.Path, name, err)
	}
	return nil
}

func (d *Dir) write(name string, data []byte) error {
	fd, err := openAt(d.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	err = writeAll(fd, data)
	if err == nil && !d.unsynced {
		err = unix.Fsync(fd)
	}
	return errors.Join(err, unix.Close(fd))
}

var errDamaged = errors.New("not a state file")

// newerError refuses a state file with a layout of the future.
type newerError struct{ version int }

func (e *newerError) Error() string {
	return fmt.Sprintf("version %d is newer than %d, the newest this berth knows", e.version, Version)
}

// loader reads state files, each with the memory of the one before.
type loader struct {
	buf     []byte
	decoder lazyjson.Decoder
}

func (l *loader) load(dirfd int, name string) (*State, error) {
	var err error
	if l.buf, err = readAt(dirfd, name, l.buf); err != nil {
		return nil, err
	}
	var s State
	err = l.decoder.Unmarshal(l.buf, &s)
	if s.Version > Version {
		return nil, &newerError{s.Version}
	}
	if err != nil || s.Version < 1 {
		return nil, errDamaged
	}
	return &s, nil
}
