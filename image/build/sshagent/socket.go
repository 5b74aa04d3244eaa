package sshagent

import (
	"net"
	"os"
	"path/filepath"
)

// Socket is the path of a socket for a program of the host, which is trusted with the
// user's agent as it is. Of keys one is made; stop removes it.
func (a *Agent) Socket() (path string, stop func(), err error) {
	if a.socket != "" {
		return a.socket, func() {}, nil
	}
	// Nobody else may enter the directory that MkdirTemp makes.
	dir, err := os.MkdirTemp("", "berth-agent-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "agent")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		_ = os.RemoveAll(dir) // the first error counts
		return "", nil, err
	}
	go a.Accept(listener)
	return path, func() {
		_ = listener.Close() // it was never written to
		_ = os.RemoveAll(dir)
	}, nil
}

// Accept serves the clients of a socket until that is closed.
func (a *Agent) Accept(listener *net.UnixListener) {
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			return
		}
		go a.Serve(conn)
	}
}
