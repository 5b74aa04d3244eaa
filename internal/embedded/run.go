package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// Call is one execution of a program.
type Call struct {
	// Args are all arguments; the first is the name.
	Args []string
	// Env is the environment; nil: this process's.
	Env []string
	// Stdin and Stderr are /dev/null when nil.
	Stdin  io.Reader
	Stderr io.Writer
	// Files are the program's descriptors from 3 on.
	Files []*os.File
}

// Run executes p and returns what it has written to its standard output. An
// *exec.ExitError is returned as it is. The program dies with this process.
func (p Program) Run(c Call) ([]byte, error) {
	fd, err := p.Open()
	if err != nil {
		return nil, err
	}
	program := os.NewFile(uintptr(fd), p.Name)
	defer program.Close() // it was only read
	// The death signal is that of the thread which forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var out bytes.Buffer
	cmd := &exec.Cmd{
		// By this process's name: in the child a descriptor of Files may take the number.
		Path: "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(fd),
		Args: c.Args, Env: c.Env, ExtraFiles: c.Files,
		Stdin: c.Stdin, Stdout: &out, Stderr: c.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM},
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, exit
	}
	if err != nil {
		return nil, fmt.Errorf("execute %s: %w", p.Name, err)
	}
	return out.Bytes(), nil
}
