package sshagent

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/crypto/ssh/agent"
)

// Agent is one --ssh of a build.
type Agent struct {
	// socket is that of the user's agent; empty: keys are served.
	socket string
	keys   agent.Agent
}

// Open takes the socket of an agent, or files with private keys.
func Open(paths ...string) (*Agent, error) {
	a := &Agent{}
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if st.Mode()&os.ModeSocket == 0 {
			if err := a.add(path); err != nil {
				return nil, err
			}
			continue
		}
		if len(paths) > 1 {
			return nil, fmt.Errorf("%s is the socket of an agent, which stands alone", path)
		}
		a.socket = path
	}
	if a.socket == "" && a.keys == nil {
		return nil, errors.New("neither the socket of an agent nor a key is named")
	}
	return a, nil
}

// Serve answers one client until it goes, and closes conn.
func (a *Agent) Serve(conn net.Conn) {
	defer conn.Close()
	up, err := a.dial()
	if err != nil {
		return // the client sees an agent that has gone
	}
	defer up.Close()
	for {
		request, err := readMessage(conn)
		if err != nil {
			return
		}
		answer := []byte{failure}
		if allowed(request) {
			if err := writeMessage(up, request); err != nil {
				return
			}
			if answer, err = readMessage(up); err != nil {
				return
			}
		}
		if err := writeMessage(conn, answer); err != nil {
			return
		}
	}
}

func (a *Agent) dial() (net.Conn, error) {
	if a.socket != "" {
		return net.DialUnix("unix", nil, &net.UnixAddr{Name: a.socket, Net: "unix"})
	}
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		_ = agent.ServeAgent(a.keys, far) // the end of the pipe is its end
	}()
	return near, nil
}
