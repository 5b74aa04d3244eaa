package sshagent

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// maxKey bounds a file with a private key, in bytes.
const maxKey = 100 << 10

// add reads a private key. Its comment is the file's name, as with ssh-add.
func (a *Agent) add(path string) error {
	raw, err := readKey(path)
	if err != nil {
		return err
	}
	key, err := ssh.ParseRawPrivateKey(raw)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return fmt.Errorf("%s is protected by a passphrase, and nobody is asked for it: add the key to an agent with ssh-add", path)
	case err != nil:
		return fmt.Errorf("%s is neither the socket of an agent nor a private key: %w", path, err)
	}
	if a.keys == nil {
		a.keys = agent.NewKeyring()
	}
	if err := a.keys.Add(agent.AddedKey{PrivateKey: key, Comment: path}); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err == nil && len(raw) > maxKey {
		err = fmt.Errorf("%s has more than %d bytes, which no key has", path, maxKey)
	}
	return raw, err
}
