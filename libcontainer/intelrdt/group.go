package intelrdt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Config is linux.intelRdt, checked.
type Config struct {
	// ID is the container's.
	ID string
	// ClosID names the group; "/" is the root, empty a group of the container's own.
	ClosID string
	// L3CacheSchema and MemBwSchema are one line each, Schemata one per element.
	L3CacheSchema, MemBwSchema string
	Schemata                   []string
	// Monitoring makes a monitoring group for the container.
	Monitoring bool
}

// lines returns what is to be written, in the order the spec demands.
func (c *Config) lines() []string {
	var lines []string
	for _, l := range append([]string{c.L3CacheSchema, c.MemBwSchema}, c.Schemata...) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// Group is where a container is, as its state remembers it.
type Group struct {
	// Path is the directory of the group.
	Path string `json:"path"`
	// Own says that the group is the container's alone and goes with it.
	Own bool `json:"own,omitempty"`
	// Monitor is the directory of the monitoring group; empty: there is none.
	Monitor string `json:"monitor,omitempty"`
}

// New says where the container's group is in the resctrl mounted on root. It makes
// nothing.
func New(root string, c *Config) *Group {
	g := &Group{Path: root}
	switch c.ClosID {
	case "/":
	case "":
		g.Path, g.Own = filepath.Join(root, c.ID), true
	default:
		g.Path = filepath.Join(root, c.ClosID)
	}
	if c.Monitoring {
		g.Monitor = filepath.Join(g.Path, "mon_groups", c.ID)
	}
	return g
}

// Make creates what New has named, as far as it is the runtime's to create: a group
// of the container's own, or a named one that is given schemata. undo takes back
// what was made, and is never nil. A named group that exists has to have the
// schemata already, others are using it.
func (g *Group) Make(c *Config) (undo func() error, err error) {
	made := ""
	undo = func() error { return errors.Join(remove(g.Monitor), remove(made)) }
	defer func() {
		if err != nil {
			err = errors.Join(err, undo())
			undo = func() error { return nil }
		}
	}()
	lines := c.lines()
	if g.Own || len(lines) > 0 && c.ClosID != "/" {
		switch err = os.Mkdir(g.Path, 0o755); {
		case err == nil:
			made = g.Path
			err = g.write(lines)
		case errors.Is(err, os.ErrExist) && !g.Own:
			err = g.compare(lines)
		}
	} else if err = isDir(g.Path); err == nil {
		err = g.compare(lines)
	}
	if err != nil {
		g.Monitor = ""
		return undo, fmt.Errorf("linux.intelRdt: %w%s", err, lastStatus(g.Path, c.ClosID))
	}
	if g.Monitor == "" {
		return undo, nil
	}
	if err = os.Mkdir(g.Monitor, 0o755); err != nil {
		g.Monitor = ""
		return undo, fmt.Errorf("linux.intelRdt.enableMonitoring: %w%s", err, lastStatus(g.Path, c.ClosID))
	}
	return undo, nil
}

func isDir(path string) error {
	st, err := os.Stat(path)
	if err == nil && !st.IsDir() {
		err = &os.PathError{Op: "open", Path: path, Err: unix.ENOTDIR}
	}
	return err
}

// write sets all lines at once; the kernel takes them in their order.
func (g *Group) write(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	return put(filepath.Join(g.Path, "schemata"), strings.Join(lines, "\n")+"\n")
}

// Join moves the thread with the given id, and those it will start, into the group.
func (g *Group) Join(tid int) error {
	if g == nil {
		return nil
	}
	if err := put(filepath.Join(g.Path, "tasks"), strconv.Itoa(tid)); err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	if g.Monitor == "" {
		return nil
	}
	// Only after that: the kernel wants the task in the group above.
	if err := put(filepath.Join(g.Monitor, "tasks"), strconv.Itoa(tid)); err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	return nil
}

// Remove removes what belongs to the container alone. What is gone is no error.
func (g *Group) Remove() error {
	if g == nil {
		return nil
	}
	err := remove(g.Monitor)
	if g.Own {
		err = errors.Join(err, remove(g.Path))
	}
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	return nil
}

func remove(dir string) error {
	if dir == "" {
		return nil
	}
	// rmdir(2) alone: the files of a group go with it, and nothing else may.
	err := unix.Rmdir(dir)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return &os.PathError{Op: "remove", Path: dir, Err: err}
}

// put writes to a file that has to be there.
func put(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write %q to %s: %w", strings.TrimSpace(text), path, unwrap(err))
	}
	return nil
}

func unwrap(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// lastStatus returns what the kernel says about a change it has just refused, as
// the rest of a sentence (info/last_cmd_status, since v4.16).
func lastStatus(group, closID string) string {
	root := group
	if closID != "/" {
		root = filepath.Dir(group)
	}
	text, err := os.ReadFile(filepath.Join(root, "info", "last_cmd_status"))
	status := strings.TrimSpace(string(text))
	if err != nil || status == "" || status == "ok" {
		return ""
	}
	return " (" + status + ")"
}
