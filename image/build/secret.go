package build

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"berth/image/build/sshagent"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// maxSecret bounds a secret, in bytes.
const maxSecret = 500 << 10

// memoryDir is a tmpfs in this process's mount namespace, made when it is first used:
// what is in it never reaches a disk.
type memoryDir struct {
	b      *builder
	parent string
	rb     *runBundle
	quota  string
	dir    string
	files  int
}

func (m *memoryDir) path() (string, error) {
	if m.dir != "" {
		return m.dir, nil
	}
	dir, detach, err := makeMemory(filepath.Join(m.parent, "memory"), m.quota)
	if err != nil {
		return "", err
	}
	m.rb.onClose(detach)
	m.dir = dir
	return dir, nil
}

// file writes a file and returns its path.
func (m *memoryDir) file(name string, content []byte, mode os.FileMode, uid, gid int) (string, error) {
	dir, err := m.path()
	if err != nil {
		return "", err
	}
	m.files++
	file := filepath.Join(dir, strconv.Itoa(m.files)+"-"+path.Base("/"+name))
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return "", err
	}
	if err := m.b.own(file, uid, gid); err != nil {
		return "", err
	}
	return file, os.Chmod(file, mode)
}

// secretMount shows a secret as a file, or as a variable.
func (s *runStep) secretMount(set *mountSet, memory *memoryDir, m *instructions.Mount) error {
	id := m.CacheID
	if id == "" {
		id = m.Source
	}
	if id == "" {
		id = path.Base(m.Target)
	}
	secret, ok := s.r.o.Secrets[id]
	if !ok {
		if m.Required {
			return fmt.Errorf("secret %s: it is required; give it with --secret id=%s,src=FILE", id, id)
		}
		return nil
	}
	value, err := secret.read()
	if err != nil {
		return fmt.Errorf("secret %s: %w", id, err)
	}
	if m.Env != nil {
		set.env = append(set.env, *m.Env+"="+string(value))
	}
	if m.Env != nil && m.Target == "" {
		return nil
	}
	target := m.Target
	if target == "" {
		target = "/run/secrets/" + path.Base("/"+id)
	}
	if !path.IsAbs(target) {
		target = path.Join("/", s.r.config.Config.WorkingDir, target)
	}
	file, err := memory.file("secret", value, perm(m.Mode, 0o400), number(m.UID), number(m.GID))
	if err != nil {
		return err
	}
	set.bind(file, path.Clean(target), true)
	return nil
}

func (s Secret) read() ([]byte, error) {
	if s.File == "" {
		return s.Value, nil
	}
	f, err := os.Open(s.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(raw) > maxSecret {
		err = fmt.Errorf("it has more than %d bytes", maxSecret)
	}
	return raw, err
}

func perm(mode *uint64, usual os.FileMode) os.FileMode {
	if mode == nil {
		return usual
	}
	return os.FileMode(*mode) & os.ModePerm
}

func number(n *uint64) int { return id(n) }

// sshMount shows the socket of an agent. The command does not get the agent's own
// socket but one with the owner and mode that it wants, which only lists keys and
// signs, and is gone with the step.
func (s *runStep) sshMount(rb *runBundle, set *mountSet, memory *memoryDir, m *instructions.Mount, i int) error {
	id := m.CacheID
	if id == "" {
		id = "default"
	}
	agent, ok := s.r.o.SSH[id]
	if !ok {
		if m.Required {
			return fmt.Errorf("ssh %s: it is required; give it with --ssh %s", id, id)
		}
		return nil
	}
	dir, err := memory.path()
	if err != nil {
		return err
	}
	socket := filepath.Join(dir, "agent-"+strconv.Itoa(i))
	if err := s.r.listen(rb, socket, agent, perm(m.Mode, 0o600), number(m.UID), number(m.GID)); err != nil {
		return fmt.Errorf("ssh %s: %w", id, err)
	}
	target := m.Target
	if target == "" {
		target = "/run/buildkit/ssh_agent." + strconv.Itoa(i)
	}
	set.bind(socket, path.Clean(target), false)
	set.env = append(set.env, "SSH_AUTH_SOCK="+path.Clean(target))
	return nil
}

// listen serves an agent on a new socket until the step ends.
func (b *builder) listen(rb *runBundle, socket string, agent *sshagent.Agent, mode os.FileMode, uid, gid int) error {
	// By a descriptor of the directory: the path of a socket has at most 107 bytes.
	dir, err := openPath(filepath.Dir(socket))
	if err != nil {
		return err
	}
	short := procPath(dir) + "/" + filepath.Base(socket)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	_ = dir.Close() // O_PATH
	if err != nil {
		return err
	}
	listener.SetUnlinkOnClose(false)
	go agent.Accept(listener)
	rb.onClose(listener.Close)
	return errors.Join(b.own(socket, uid, gid), os.Chmod(socket, mode))
}
