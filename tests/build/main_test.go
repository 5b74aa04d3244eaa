package build

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain is also the program that TestSSH runs in a step, and the emulator of
// TestEmulation.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "emulator" {
		if err := os.WriteFile("/emulated", []byte(strings.Join(os.Args[1:], " ")), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if filepath.Base(os.Args[0]) == "client" {
		if err := countKeys(os.Getenv("SSH_AUTH_SOCK")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// countKeys asks an agent for its keys and prints how many there are (PROTOCOL.agent:
// message 11, answered by 12 with a number).
func countKeys(socket string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte{0, 0, 0, 1, 11}); err != nil {
		return err
	}
	var answer [9]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return err
	}
	if answer[4] != 12 {
		return fmt.Errorf("the agent answers with message %d", answer[4])
	}
	fmt.Println(answer[8])
	return nil
}
