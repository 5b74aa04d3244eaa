package cli

import (
	"os"

	"berth/image/layer"
	"berth/image/progress"
	"berth/image/pull"
	"berth/image/store"
	"berth/image/userns"

	"golang.org/x/sys/unix"
)

// openStore opens the store of this invocation, and makes it if it is missing. The
// caller closes it.
func (b *berth) openStore() (*store.Store, error) {
	return store.Open(store.Options{Dir: b.storeDir, Waiting: b.waiting})
}

// readStore opens the store for reading: nothing is made.
func (b *berth) readStore() (*store.Store, error) {
	return store.Open(store.Options{Dir: b.storeDir, Waiting: b.waiting, ReadOnly: true})
}

// waiting tells a person what takes so long.
func (b *berth) waiting(what string) {
	if onTerminal() {
		_, _ = os.Stderr.WriteString("waiting for " + what + "\n")
	}
	b.log.Debug("waiting for " + what)
}

func onTerminal() bool {
	_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
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
