package sshagent

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writeKey makes a private key in a file, with a passphrase unless that is empty.
func writeKey(t *testing.T, passphrase string) (string, ssh.PublicKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	must(t, err)
	path := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	key, err := ssh.NewPublicKey(public)
	must(t, err)
	return path, key
}

// client connects to an agent as a step does.
func client(t *testing.T, a *Agent) agent.ExtendedAgent {
	t.Helper()
	near, far := net.Pipe()
	go a.Serve(far)
	t.Cleanup(func() { must(t, near.Close()) })
	return agent.NewClient(near)
}

// TestKeys: files with private keys are an agent that signs with them.
func TestKeys(t *testing.T) {
	one, first := writeKey(t, "")
	two, second := writeKey(t, "")
	a, err := Open(one, two)
	must(t, err)
	c := client(t, a)
	list, err := c.List()
	must(t, err)
	if len(list) != 2 || list[0].Comment != one {
		t.Fatalf("the keys are %v", list)
	}
	for _, key := range []ssh.PublicKey{first, second} {
		signature, err := c.Sign(key, []byte("data"))
		must(t, err)
		must(t, key.Verify([]byte("data"), signature))
	}
}

// TestSocket: programs of the host talk to it, too, and the socket goes away.
func TestSocket(t *testing.T) {
	if _, err := exec.LookPath("ssh-add"); err != nil {
		t.Skip("no ssh-add (Debian: openssh-client)")
	}
	path, _ := writeKey(t, "")
	a, err := Open(path)
	must(t, err)
	socket, stop, err := a.Socket()
	must(t, err)
	cmd := exec.Command("ssh-add", "-l")
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), path) {
		t.Errorf("ssh-add -l: %v: %s", err, out)
	}
	stop()
	if _, err := os.Lstat(filepath.Dir(socket)); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", socket, err)
	}
}

// TestOnlySigning: what changes an agent does not reach it, of the user's as little as
// of keys.
func TestOnlySigning(t *testing.T) {
	path, key := writeKey(t, "")
	keys, err := Open(path)
	must(t, err)
	socket, stop, err := keys.Socket()
	must(t, err)
	defer stop()
	users, err := Open(socket)
	must(t, err)
	for name, a := range map[string]*Agent{"keys": keys, "socket": users} {
		c := client(t, a)
		if c.RemoveAll() == nil || c.Remove(key) == nil || c.Lock([]byte("x")) == nil {
			t.Errorf("%s: a client has changed the agent", name)
		}
		if _, err := c.Extension("session-bind@openssh.com", nil); err == nil {
			t.Errorf("%s: an extension was accepted", name)
		}
		if list, err := c.List(); err != nil || len(list) != 1 {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

// TestMessages: a length that is none ends the connection.
func TestMessages(t *testing.T) {
	for _, raw := range []string{"\x00\x00\x00\x00", "\xff\xff\xff\xff\x0b", "\x00\x00\x00\x05\x0b"} {
		if m, err := readMessage(bytes.NewReader([]byte(raw))); err == nil {
			t.Errorf("%q is read as %q", raw, m)
		}
	}
}

// TestRefused: what is no key says what it is.
func TestRefused(t *testing.T) {
	locked, _ := writeKey(t, "secret")
	good, _ := writeKey(t, "")
	dir := t.TempDir()
	other, long := filepath.Join(dir, "other"), filepath.Join(dir, "long")
	must(t, os.WriteFile(other, []byte("ssh-ed25519 AAAA me\n"), 0o600))
	must(t, os.WriteFile(long, make([]byte, maxKey+1), 0o600))
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	must(t, err)
	defer listener.Close()
	for _, c := range []struct {
		say   string
		paths []string
	}{
		{"passphrase", []string{locked}},
		{"nor a private key", []string{other}},
		{"which no key has", []string{long}},
		{"stands alone", []string{good, filepath.Join(dir, "socket")}},
		{"no such file", []string{filepath.Join(dir, "missing")}},
		{"neither", nil},
	} {
		if _, err := Open(c.paths...); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%v: %v", c.paths, err)
		}
	}
}
