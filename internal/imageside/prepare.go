package imageside

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"berth/internal/embedded"
	"berth/internal/idmap"

	"golang.org/x/sys/unix"
)

// Request asks the image program for a container's root file system and config.json:
// the flags of run --image and create --image.
type Request struct {
	// Image is a reference, oci:DIR[:TAG] or docker-archive:FILE.
	Image string `json:"image"`
	// Pull is always, missing or never. Platform is that of the image; empty: the
	// host's. PlainHTTP talks http to the registry. Quiet shows no progress.
	Pull      string `json:"pull,omitempty"`
	Platform  string `json:"platform,omitempty"`
	PlainHTTP bool   `json:"plainHTTP,omitempty"`
	Quiet     bool   `json:"quiet,omitempty"`
	// ID is the container's, Root the runtime's root directory.
	ID   string `json:"id"`
	Root string `json:"root"`

	// UserNS is set when a user calls, whose containers live in a user namespace.
	UserNS *UserNS `json:"userNS,omitempty"`

	Args []string `json:"args,omitempty"`
	// Entrypoint, when not nil, takes the place of the image's.
	Entrypoint    []string `json:"entrypoint"`
	Env           []string `json:"env,omitempty"`
	User          string   `json:"user,omitempty"`
	Cwd           string   `json:"cwd,omitempty"`
	Tty           bool     `json:"tty,omitempty"`
	Hostname      string   `json:"hostname,omitempty"`
	ReadOnly      bool     `json:"readOnly,omitempty"`
	NewPrivileges bool     `json:"newPrivileges,omitempty"`
	CapAdd        []string `json:"capAdd,omitempty"`
	CapDrop       []string `json:"capDrop,omitempty"`
	NoSeccomp     bool     `json:"noSeccomp,omitempty"`
	Binds         []string `json:"binds,omitempty"`
	Net           string   `json:"net,omitempty"`
	Memory        int64    `json:"memory,omitempty"`
	CPUs          float64  `json:"cpus,omitempty"`
	Pids          int64    `json:"pids,omitempty"`
}

// UserNS is the user namespace of a user's container.
type UserNS struct {
	UIDs []idmap.Map `json:"uids"`
	GIDs []idmap.Map `json:"gids"`
}

// Prepared is the answer.
type Prepared struct {
	// Bundle is the directory with config.json, which also takes what the container
	// writes, in upper and work.
	Bundle string `json:"bundle"`
	// Layers are the directories of the image, the topmost first.
	Layers []string `json:"layers"`
	// UserXattr says that they are written for overlays of a user namespace.
	UserXattr bool `json:"userXattr,omitempty"`
}

const (
	prepareVerb = "prepare"
	discardVerb = "discard"
	// RequestFlag names the descriptor with the request, as JSON.
	RequestFlag = "request-fd"
)

// Prepare lets the image program pull the image if it has to, and make a bundle of
// it. globals are the global flags it needs. Progress and warnings go to stderr.
func Prepare(r *Request, globals []string) (*Prepared, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	// Not as arguments, which all users see. A file in memory, as the program may
	// execute itself again and read it twice.
	request, err := memoryFile("request", text)
	if err != nil {
		return nil, err
	}
	defer request.Close() // it was only written to memory
	out, err := run([]*os.File{request}, append(globals, prepareVerb, "--"+RequestFlag+"=3"))
	if err != nil {
		return nil, err
	}
	p := &Prepared{}
	if err := json.Unmarshal(out, p); err != nil {
		return nil, fmt.Errorf("answer of the image program: %w", err)
	}
	return p, nil
}

// Discard removes a directory, as root of a user namespace for a user.
func Discard(dir string) error {
	_, err := run(nil, []string{discardVerb, "--", dir})
	return err
}

// Failed is the exit status of an image program that has said itself what is wrong.
type Failed int

func (f Failed) Error() string { return "the image program ends with status " + strconv.Itoa(int(f)) }

// run executes the image program and returns its output.
func run(files []*os.File, args []string) ([]byte, error) {
	if embedded.Image.Missing() {
		return nil, ErrMissing
	}
	out, err := embedded.Image.Run(embedded.Call{Args: append([]string{"berth"}, args...), Files: files, Stderr: os.Stderr})
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, Failed(exit.ExitCode())
	}
	return out, err
}

func memoryFile(name string, text []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd for the %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.WriteAt(text, 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
