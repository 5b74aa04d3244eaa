package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"berth/image/build/tree"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// mountSet is what RUN --mount adds to a container.
type mountSet struct {
	list []specs.Mount
	env  []string
}

// stepMounts makes the sources of all mounts of a step.
func (s *runStep) stepMounts(ctx context.Context, rb *runBundle, w *workspace) (*mountSet, error) {
	set := &mountSet{}
	if err := s.networkFiles(rb, set); err != nil {
		return nil, err
	}
	memory := &memoryDir{b: s.r.builder, parent: rb.dir, rb: rb, quota: "16m"}
	if s.script != "" {
		file, err := memory.file(s.scriptName, []byte(s.script), 0o755, 0, 0)
		if err != nil {
			return nil, err
		}
		set.bind(file, scriptDir+"/"+s.scriptName, true)
	}
	for i, m := range s.mounts {
		if err := s.stepMount(ctx, rb, set, memory, w, i); err != nil {
			return nil, fmt.Errorf("RUN --mount=type=%s: %w", m.Type, err)
		}
	}
	return set, nil
}

func (m *mountSet) bind(source, target string, readOnly bool) {
	options := []string{"rbind", "rprivate"}
	if readOnly {
		options = append(options, "ro")
	}
	m.list = append(m.list, specs.Mount{Destination: target, Type: "bind", Source: source, Options: options})
}

func (s *runStep) stepMount(ctx context.Context, rb *runBundle, set *mountSet, memory *memoryDir, w *workspace, i int) error {
	m := s.mounts[i]
	switch m.Type {
	case instructions.MountTypeSecret:
		return s.secretMount(set, memory, m)
	case instructions.MountTypeSSH:
		return s.sshMount(rb, set, memory, m, i)
	}
	target, err := s.target(m)
	if err != nil {
		return err
	}
	switch m.Type {
	case instructions.MountTypeTmpfs:
		options := []string{"nosuid", "nodev"}
		if m.SizeLimit > 0 {
			options = append(options, "size="+strconv.FormatInt(m.SizeLimit, 10))
		}
		if m.ReadOnly {
			options = append(options, "ro")
		}
		set.list = append(set.list, specs.Mount{Destination: target, Type: "tmpfs", Source: "tmpfs", Options: options})
		return nil
	case instructions.MountTypeCache:
		dir, err := s.cacheDir(ctx, rb, m, i, target)
		if err != nil {
			return err
		}
		set.bind(dir, target, m.ReadOnly)
		return nil
	}
	source, err := s.bindSource(ctx, rb, w, i)
	if err != nil {
		return err
	}
	set.bind(source, target, m.ReadOnly)
	return nil
}

// target is where a mount goes; relative ones are below the working directory.
func (s *runStep) target(m *instructions.Mount) (string, error) {
	t := m.Target
	if !path.IsAbs(t) {
		t = path.Join("/", s.r.config.Config.WorkingDir, t)
	}
	if t = path.Clean(t); t == "/" {
		return "", fmt.Errorf("target %q: nothing can be mounted over the root", m.Target)
	}
	return t, nil
}

// mountTree is the tree that a bind mount shows: the context, a stage or an image.
func (s *runStep) mountTree(ctx context.Context, i int) (*tree.Root, string, error) {
	if s.sources[i] == nil {
		return s.r.o.Context.root(s.r.empty), "", nil
	}
	state, err := s.r.builder.stage(ctx, s.r.cancel, s.sources[i])
	if err != nil {
		return nil, "", err
	}
	root, err := s.r.view(ctx, state, s.sources[i].Label())
	return root, state.contentID(), err
}

// mountSum is the digest of what a bind mount shows, for the key.
func (s *runStep) mountSum(ctx context.Context, i int) (digest.Digest, error) {
	root, memo, err := s.mountTree(ctx, i)
	if err != nil {
		return "", err
	}
	p := &part{memo: memo, Copy: tree.Copy{From: root, Sources: []string{mountPath(s.mounts[i].Source)}}}
	return s.r.sum(ctx, p)
}

func mountPath(source string) string {
	p := path.Clean("/" + source)[1:]
	if p == "" {
		return "."
	}
	return p
}

// bindSource makes a directory or file that the runtime can bind. What a command
// writes to one that is not read-only is lost. A stage is mounted for reading, or with
// an upper directory of its own; of the context a copy is made, for owners and hidden
// files are not those on disk.
func (s *runStep) bindSource(ctx context.Context, rb *runBundle, w *workspace, i int) (string, error) {
	m := s.mounts[i]
	root, _, err := s.mountTree(ctx, i)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(w.dir, "mount-"+strconv.Itoa(i))
	at, err := root.Resolve(mountPath(m.Source), true)
	if err != nil {
		return "", err
	}
	if !at.Exists {
		return "", fmt.Errorf("source %s: %w in the %s", m.Source, tree.ErrNotFound, root.Name)
	}
	if s.sources[i] == nil || root.Owner != nil {
		return s.copyForMount(ctx, root, at, dir)
	}
	state, err := s.r.builder.stage(ctx, s.r.cancel, s.sources[i])
	if err != nil {
		return "", err
	}
	return s.mountStage(ctx, rb, state, at, dir, m.ReadOnly)
}

func (s *runStep) copyForMount(ctx context.Context, root *tree.Root, at tree.Real, dir string) (string, error) {
	top, err := makeDir(dir)
	if err != nil {
		return "", err
	}
	defer top.Close()
	c := tree.Copy{From: root, To: &tree.Root{FD: int(top.Fd()), OneOwner: s.r.o.OneOwner}, Sources: []string{at.Path}, Dest: "/content"}
	if at.Path == "" {
		c.Sources = []string{"."}
	}
	if err := c.Do(ctx); err != nil {
		return "", err
	}
	return filepath.Join(dir, "content"), nil
}

func (s *runStep) mountStage(ctx context.Context, rb *runBundle, state *state, at tree.Real, dir string, readOnly bool) (string, error) {
	layers, err := dirs(ctx, state.layers)
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	var upper, work *os.File
	if !readOnly {
		if upper, err = makeDir(filepath.Join(dir, "upper")); err != nil {
			return "", err
		}
		defer upper.Close()
		if err := likeTop(upper, layers); err != nil {
			return "", err
		}
		if work, err = makeDir(filepath.Join(dir, "work")); err != nil {
			return "", err
		}
		defer work.Close()
	}
	o, err := s.r.mountOverlay(layers, upper, work)
	if err != nil {
		return "", err
	}
	defer o.close()
	point := filepath.Join(dir, "root")
	if err := os.Mkdir(point, 0o700); err != nil {
		return "", err
	}
	detach, err := attach(o.fd(), point)
	if err != nil {
		return "", err
	}
	rb.onClose(detach)
	// at.Path has no links, and nothing of this step has written there yet.
	return filepath.Join(point, at.Path), nil
}

// cacheDir is the directory of a cache mount. Steps that share it see each other;
// with sharing=locked they wait, with private the second gets another one.
func (s *runStep) cacheDir(ctx context.Context, rb *runBundle, m *instructions.Mount, i int, target string) (string, error) {
	id := m.CacheID
	if id == "" {
		id = target
	}
	// A digest, so that no id is a path (buildah CVE-2024-9675).
	sum := sha256.Sum256([]byte(id + "\x00" + s.cacheSource(i) + "\x00" + m.Source))
	base := s.r.o.Store.MountsDir()
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	name := hex.EncodeToString(sum[:])
	for n := 0; ; n++ {
		dir := filepath.Join(base, name)
		if n > 0 {
			dir += "-" + strconv.Itoa(n)
		}
		taken, err := s.takeCache(ctx, rb, dir, m.CacheSharing)
		if err != nil {
			return "", err
		}
		if !taken {
			continue
		}
		return filepath.Join(dir, "data"), s.fillCache(ctx, dir, m, i)
	}
}

func (s *runStep) cacheSource(i int) string {
	if s.sources[i] == nil {
		return ""
	}
	return s.sources[i].Label()
}

// takeCache locks a cache directory as its sharing mode asks for. false: it is taken.
func (s *runStep) takeCache(ctx context.Context, rb *runBundle, dir string, mode instructions.ShareMode) (bool, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return false, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	kind := unix.LOCK_SH
	if mode != "" && mode != instructions.MountSharingShared {
		kind = unix.LOCK_EX
	}
	for {
		err = unix.Flock(int(lock.Fd()), kind|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || mode == instructions.MountSharingPrivate {
			break
		}
		if err := pause(ctx); err != nil {
			_ = lock.Close() // nothing was written
			return false, err
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, lock.Close()
	}
	if err != nil {
		_ = lock.Close() // nothing was written
		return false, fmt.Errorf("lock cache: %w", err)
	}
	if err := unix.Futimes(int(lock.Fd()), nil); err != nil { // gc asks when it was last of use
		_ = lock.Close() // nothing was written
		return false, fmt.Errorf("lock cache: %w", err)
	}
	rb.onClose(lock.Close)
	return true, nil
}

// fillCache makes the directory when the cache is new.
func (s *runStep) fillCache(ctx context.Context, dir string, m *instructions.Mount, i int) error {
	data := filepath.Join(dir, "data")
	if _, err := os.Lstat(data); err == nil {
		return nil
	}
	fresh, err := os.MkdirTemp(dir, "new-")
	if err != nil {
		return err
	}
	err = s.seedCache(ctx, fresh, m, i)
	if err == nil {
		// Not in the place of one that another step has made meanwhile, and uses.
		err = unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, data, unix.RENAME_NOREPLACE)
	}
	if errors.Is(err, unix.EEXIST) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(fresh))
}

// seedCache gives a new cache its first content, owner and mode.
func (s *runStep) seedCache(ctx context.Context, fresh string, m *instructions.Mount, i int) error {
	mode := uint32(0o755)
	if m.Mode != nil {
		mode = uint32(*m.Mode)
	}
	uid, gid := id(m.UID), id(m.GID)
	if s.sources[i] != nil {
		root, _, err := s.mountTree(ctx, i)
		if err != nil {
			return err
		}
		top, err := os.Open(fresh)
		if err != nil {
			return err
		}
		defer top.Close()
		c := tree.Copy{From: root, To: &tree.Root{FD: int(top.Fd()), OneOwner: s.r.o.OneOwner}, Sources: []string{mountPath(m.Source)}, Dest: "/"}
		if err := c.Do(ctx); err != nil {
			return err
		}
	}
	if err := s.r.own(fresh, uid, gid); err != nil {
		return err
	}
	return unix.Chmod(fresh, mode&0o7777)
}

// own gives a file to a user of the step, if there are users.
func (b *builder) own(file string, uid, gid int) error {
	if b.o.OneOwner {
		return nil
	}
	return os.Chown(file, uid, gid)
}

func id(n *uint64) int {
	if n == nil {
		return 0
	}
	return int(*n)
}

// networkFiles gives a step the host's name servers and a hosts file.
func (s *runStep) networkFiles(rb *runBundle, set *mountSet) error {
	hosts := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	for _, h := range s.r.o.Run.Hosts {
		name, address, ok := strings.Cut(h, ":")
		if !ok {
			name, address, _ = strings.Cut(h, "=")
		}
		hosts += strings.Trim(address, "[]") + "\t" + name + "\n"
	}
	file := filepath.Join(rb.dir, "hosts")
	if err := os.WriteFile(file, []byte(hosts), 0o644); err != nil {
		return err
	}
	set.bind(file, "/etc/hosts", true)
	resolv := ""
	if s.network == "host" {
		raw, err := os.ReadFile("/etc/resolv.conf")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		resolv = string(raw)
	}
	file = filepath.Join(rb.dir, "resolv.conf")
	if err := os.WriteFile(file, []byte(resolv), 0o644); err != nil {
		return err
	}
	set.bind(file, "/etc/resolv.conf", true)
	return nil
}
