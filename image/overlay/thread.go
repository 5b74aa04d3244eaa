package overlay

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// apart calls do on a thread with a working directory of its own, which ends after it.
func apart(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		// The first thread would not end, and /proc/self is about its directory. Locked
		// here, it runs no other goroutine.
		if unix.Gettid() == unix.Getpid() {
			err := apart(do)
			runtime.UnlockOSThread()
			done <- err
			return
		}
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = do()
		}
		// Never unlocked: with the goroutine its thread ends.
		done <- err
	}()
	return <-done
}
