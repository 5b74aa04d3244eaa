package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"berth/image/layer"
	"berth/image/progress"
	"berth/image/pull"
	"berth/image/store"
	"berth/image/userns"
	"berth/internal/command"

	"golang.org/x/sys/unix"
)

// openStore opens the store of this invocation, and makes it if it is missing. The
// caller closes it.
func (b *berth) openStore() (*store.Store, error) {
	quota, err := storeQuota()
	if err != nil {
		return nil, err
	}
	return store.Open(store.Options{Dir: b.storeDir, Quota: quota, Waiting: b.waiting})
}

// useStore opens the store and keeps gc away until done, which closes it, too.
func (b *berth) useStore() (s *store.Store, done func(), err error) {
	if s, err = b.openStore(); err != nil {
		return nil, nil, err
	}
	release, err := s.Use(b.ctx)
	if err != nil {
		_ = s.Close() // the first error counts
		return nil, nil, err
	}
	return s, func() {
		release()
		_ = s.Close() // it closes directories
	}, nil
}

// storeQuota is how many bytes the store may hold; 0 is no bound.
func storeQuota() (int64, error) {
	text := os.Getenv("BERTH_STORE_QUOTA")
	if text == "" {
		return 0, nil
	}
	n, err := command.Size(text)
	if err != nil {
		return 0, fmt.Errorf("BERTH_STORE_QUOTA %q: %w", text, err)
	}
	return max(*n, 0), nil
}

// readStore opens the store for reading: nothing is made.
func (b *berth) readStore() (*store.Store, error) {
	return store.Open(store.Options{Dir: b.storeDir, Waiting: b.waiting, ReadOnly: true})
}

// waiting tells a person what takes so long, and whoever reads the output of a verb
// that may wait for hours.
func (b *berth) waiting(what string) {
	if b.mayWait || onTerminal() {
		_, _ = os.Stderr.WriteString("waiting for " + what + "\n")
	}
	b.log.Debug("waiting for " + what)
}

// leftOut tells a person which entries of an image a user cannot make. The log shows
// warnings beside errors only, since engines take what is on stderr for one.
func leftOut(paths []string) {
	const most = 5
	if len(paths) == 0 {
		return
	}
	rest := ""
	if more := len(paths) - most; more > 0 {
		paths, rest = paths[:most], " and "+strconv.Itoa(more)+" more"
	}
	for i, path := range paths {
		paths[i] = strconv.Quote(path)
	}
	_, _ = os.Stderr.WriteString("note: devices are left out, which a user cannot make: " + strings.Join(paths, " ") + rest + "\n") // nowhere to report it to
}

// onTerminal tells whether a person reads stderr.
func onTerminal() bool { return terminal(os.Stderr) }

func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// apply is how this process unpacks layers.
func apply() layer.ApplyOptions {
	o := pull.HostApply()
	o.Squash = userns.Single()
	return o
}

// quietProgress shows bars on a terminal and nothing elsewhere: for verbs whose
// stderr belongs to somebody else.
func quietProgress(quiet bool) *progress.Display {
	if quiet || !onTerminal() {
		return nil
	}
	return progress.New(os.Stderr, progress.Auto)
}
