package systemd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"berth/internal/idmap"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

const (
	// callBound is how long systemd may take to answer, or to carry out a job.
	callBound = 30 * time.Second
	// dialBound is how long a bus with a full backlog is tried again: it says EAGAIN.
	dialBound = 5 * time.Second
)

// bus is the connection to one of the host's managers, made at its first use.
type bus struct {
	user bool
	conn *systemd.Conn
}

// userManager tells whose systemd a caller has to ask: root the system's, all
// others their own. Root of a user namespace is root to the namespace's own
// systemd, if one runs in there, and else a user.
func userManager() bool {
	if os.Geteuid() != 0 {
		return true
	}
	return idmap.Inside() && unix.Access(systemSocket, unix.W_OK) != nil
}

const systemSocket = "/run/systemd/private"

// addresses are where the manager may be found, the best first.
func addresses(user bool) []address {
	if !user {
		if a := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); a != "" {
			return []address{{a, true}}
		}
		return []address{
			{"unix:path=" + systemSocket, false},
			{"unix:path=/run/dbus/system_bus_socket", true},
			{"unix:path=/var/run/dbus/system_bus_socket", true},
		}
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = "/run/user/" + strconv.Itoa(os.Geteuid())
	}
	socket := func(name string) string {
		return "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, name))
	}
	list := []address{{socket("systemd/private"), false}}
	if a := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" && a != "autolaunch:" {
		list = append(list, address{a, true})
	}
	return append(list, address{socket("bus"), true})
}

// address is where a bus listens; daemon: a bus daemon does, and wants a Hello.
type address struct {
	at     string
	daemon bool
}

// dial connects to the first address that answers.
func dial(user bool) (*systemd.Conn, error) {
	var errs []error
	for _, a := range addresses(user) {
		c, err := a.dial()
		if err == nil {
			return c, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", strings.TrimPrefix(a.at, "unix:path="), err))
	}
	err := errors.Join(errs...)
	if user {
		return nil, &noManagerError{err, "no systemd user session: log in with one, or let it stay with loginctl enable-linger"}
	}
	return nil, &noManagerError{err, "cannot reach systemd"}
}

// noManagerError reports that no systemd answers the caller.
type noManagerError struct {
	Err  error
	text string
}

func (e *noManagerError) Error() string {
	return "cgroup driver systemd: " + e.text + ": " + strings.ReplaceAll(e.Err.Error(), "\n", "; ")
}

// Unwrap gives what each address said.
func (e *noManagerError) Unwrap() error { return e.Err }

func (a address) dial() (*systemd.Conn, error) {
	conn, err := a.connect()
	if err != nil {
		return nil, err
	}
	// go-systemd asks for one connection for calls and one for signals; one can do both.
	return systemd.NewConnection(func() (*dbus.Conn, error) { return conn, nil })
}

func (a address) connect() (*dbus.Conn, error) {
	end := time.Now().Add(dialBound)
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		conn, err := dbus.Dial(a.at)
		if err == nil {
			if err = a.greet(conn); err == nil {
				return conn, nil
			}
			_ = conn.Close() // the first error says more
			return nil, err
		}
		if !errors.Is(err, unix.EAGAIN) || time.Now().After(end) {
			return nil, cause(err)
		}
		time.Sleep(wait)
	}
}

// greet authenticates by the socket's credentials: godbus sends no name, so the
// ids of a user namespace do not matter.
func (a address) greet(conn *dbus.Conn) error {
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal("")}); err != nil {
		return err
	}
	if !a.daemon {
		return nil
	}
	return conn.Hello()
}

// cause leaves out the address, which net repeats.
func cause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// do calls f with the connection and a bound for its calls. A connection that
// breaks, as all do when systemd re-executes itself, is made anew once: f must be
// fit to be called again.
func (b *bus) do(f func(context.Context, *systemd.Conn) error) error {
	err := b.try(f)
	if errors.Is(err, dbus.ErrClosed) || errors.Is(err, io.EOF) {
		b.close()
		return b.try(f)
	}
	return err
}

func (b *bus) try(f func(context.Context, *systemd.Conn) error) error {
	if b.conn == nil {
		c, err := dial(b.user)
		if err != nil {
			return err
		}
		b.conn = c
	}
	ctx, cancel := context.WithTimeout(context.Background(), callBound)
	defer cancel()
	return f(ctx, b.conn)
}

func (b *bus) close() {
	if b.conn != nil {
		b.conn.Close()
		b.conn = nil
	}
}

// manager returns the version of systemd and the cgroup of its root slice.
func (b *bus) manager() (version int, root string, err error) {
	err = b.do(func(_ context.Context, c *systemd.Conn) error {
		text, err := c.GetManagerProperty("Version")
		if err != nil {
			return fmt.Errorf("systemd: version: %w", err)
		}
		version = parseVersion(text)
		text, err = c.GetManagerProperty("ControlGroup")
		if err != nil {
			return fmt.Errorf("systemd: control group: %w", err)
		}
		if root, err = strconv.Unquote(text); err != nil {
			return fmt.Errorf("systemd: control group %s: %w", text, err)
		}
		return nil
	})
	return version, root, err
}

// parseVersion finds the number in "252.39-1~deb12u1", "v245.4-4.fc32" and the
// like; 0: none.
func parseVersion(s string) int {
	s = strings.TrimLeft(s, `"v`)
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}

// is says that err came over the bus under this name.
func is(err error, name string) bool {
	var e dbus.Error
	return errors.As(err, &e) && e.Name == name
}

const (
	noSuchUnit = "org.freedesktop.systemd1.NoSuchUnit"
	unitExists = "org.freedesktop.systemd1.UnitExists"
)
