package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"berth/image"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

const (
	useName    = "use.json"
	useVersion = 1
	maxUse     = 1 << 20
	// longestID is the longest name of a container, as the runtime has it.
	longestID = 1024
)

// Use says what a container, made from an image, needs of the store. gc keeps it
// as long as the container's directory is there.
type Use struct {
	Version int `json:"version"`
	// ID is the container's.
	ID string `json:"id"`
	// Root is the runtime's root directory, in which the container is known.
	Root string `json:"root,omitempty"`
	// Name is the image as the user called it.
	Name string `json:"name,omitempty"`
	// Image is the manifest.
	Image image.Descriptor `json:"image"`
	// Layers are the chain ids, the lowest first.
	Layers []digest.Digest `json:"layers"`
	// Created is when the container was made.
	Created time.Time `json:"created"`
}

// Container is the directory of a container that was made from an image.
type Container struct {
	Use
	// Dir is the directory: with upper and work for the overlay, and whatever the
	// caller puts there, config.json for one.
	Dir string
}

// Upper is where the container's changes are.
func (c Container) Upper() string { return c.Dir + "/upper" }

// Work is overlayfs's work directory.
func (c Container) Work() string { return c.Dir + "/work" }

// checkID keeps an id from leaving its directory; the runtime has the same rule.
func checkID(id string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-."
	switch {
	case id == "", id == ".", id == "..", strings.Trim(id, letters) != "":
		return fmt.Errorf("container id %q: letters, digits and _+-. make an id", id)
	case len(id) > longestID:
		return fmt.Errorf("container id: %d letters are above the limit of %d", len(id), longestID)
	}
	return nil
}

// NewContainer makes the directory of a container. ErrExists when the id is taken.
// The caller holds Use, and has the layers in the store.
func (s *Store) NewContainer(use Use) (Container, error) {
	if err := s.writable(); err != nil {
		return Container{}, err
	}
	if err := checkID(use.ID); err != nil {
		return Container{}, err
	}
	use.Version = useVersion
	if use.Created.IsZero() {
		use.Created = time.Now().UTC()
	}
	raw, err := json.Marshal(use)
	if err != nil {
		return Container{}, fmt.Errorf("encode %s: %w", useName, err)
	}
	temp := "container-" + rand.Text()
	if err := s.fillContainer(temp, raw); err != nil {
		return Container{}, errors.Join(err, s.tmp.removeAll(temp))
	}
	err = s.tmp.renameNew(temp, s.containers, use.ID)
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOTEMPTY) {
		err = ErrExists
	}
	if err != nil {
		return Container{}, errors.Join(fmt.Errorf("container %s: %w", use.ID, err), s.tmp.removeAll(temp))
	}
	return Container{Use: use, Dir: s.containers.join(use.ID)}, nil
}

func (s *Store) fillContainer(temp string, use []byte) error {
	d, err := s.tmp.make(temp)
	if err != nil {
		return err
	}
	defer d.f.Close()
	for _, name := range []string{"upper", "work"} {
		sub, err := d.make(name)
		if err != nil {
			return err
		}
		// upper is seen as the container's root; NewContainer's caller gives it the
		// owner and mode of the layer below.
		if err := errors.Join(sub.f.Chmod(0o755), sub.close()); err != nil {
			return err
		}
	}
	f, err := d.open(useName, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(use)
	return errors.Join(err, f.Close())
}

// Container returns the container of an id; ErrNotFound when there is none.
func (s *Store) Container(id string) (Container, error) {
	if err := checkID(id); err != nil {
		return Container{}, err
	}
	d, err := s.containers.sub(id)
	if notExist(err) {
		return Container{}, fmt.Errorf("container %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return Container{}, err
	}
	defer d.f.Close()
	raw, err := d.read(useName, maxUse)
	if err != nil {
		return Container{}, err
	}
	c := Container{Dir: d.path}
	if err := json.Unmarshal(raw, &c.Use); err != nil {
		return Container{}, &DamagedError{d.join(useName), err.Error()}
	}
	if c.ID != id || c.Version != useVersion {
		return Container{}, &DamagedError{d.join(useName), "it belongs to another container, or another version of berth"}
	}
	return c, nil
}

// Containers returns all containers by id. Those whose use.json cannot be read are
// errors in skipped.
func (s *Store) Containers() (all []Container, skipped []error, err error) {
	ids, err := s.containers.names()
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(ids)
	for _, id := range ids {
		c, err := s.Container(id)
		switch {
		case errors.Is(err, ErrNotFound): // deleted meanwhile
		case err != nil:
			skipped = append(skipped, err)
		default:
			all = append(all, c)
		}
	}
	return all, skipped, nil
}

// lostContainers are those whose use.json is broken and which are older than this
// boot: it was not synced when the machine crashed, and with it ended the container.
func (s *Store) lostContainers() ([]string, error) {
	ids, err := s.containers.names()
	if err != nil {
		return nil, err
	}
	var lost []string
	for _, id := range ids {
		_, err := s.Container(id)
		if err == nil || errors.Is(err, ErrNotFound) || checkID(id) != nil {
			continue
		}
		st, err := s.containers.stat(id)
		if err == nil && time.Unix(st.Ctim.Unix()).Before(s.booted) {
			lost = append(lost, id)
		}
	}
	return lost, nil
}

// RemoveContainer removes the directory of a container. ErrNotFound when there is
// none.
func (s *Store) RemoveContainer(id string) error {
	if err := s.writable(); err != nil {
		return err
	}
	if err := checkID(id); err != nil {
		return err
	}
	if err := s.discard(s.containers, id); err != nil {
		if notExist(err) {
			err = ErrNotFound
		}
		return fmt.Errorf("container %s: %w", id, err)
	}
	return nil
}
