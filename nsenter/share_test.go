package nsenter_test

import (
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"berth/nsenter"
)

// A child that works in the parent's memory and is killed there must not leave the
// parent in its place.
func TestKilledInSharedMemory(t *testing.T) {
	// No handler: SIGPIPE ends the child at its write.
	signal.Reset(syscall.SIGPIPE)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	pid := os.Getpid()
	_, _, err = run(t, nsenter.Options{CgroupFD: -1, JoinsPID: true, Tasks: []int{int(w.Fd())}})
	if err == nil || err.Error() != "stage 1 was killed" {
		t.Errorf("a child that broke a pipe: %v", err)
	}
	if os.Getpid() != pid {
		t.Errorf("this is process %d, was %d", os.Getpid(), pid)
	}
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %v", err)
	}
}

// The parent's goroutines work on while its child uses its memory.
func TestBusyParent(t *testing.T) {
	needRoot(t)
	stop := make(chan struct{})
	defer close(stop)
	for range 2 {
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				_ = strings.Repeat("garbage", n%1000) // for the collector
				if n%1000 == 0 {
					runtime.GC()
				}
			}
		}()
	}
	for i := range 50 {
		o := nsenter.Options{CgroupFD: -1, New: syscall.CLONE_NEWUTS | syscall.CLONE_NEWPID}
		if i%2 == 1 {
			// Two clones.
			o.JoinsPID = true
		}
		out, ws, err := run(t, o)
		if err != nil || ws.ExitStatus() != 7 || !strings.Contains(out, "pid 1 uid 0") {
			t.Fatalf("round %d: status %d, %v: %q", i, ws.ExitStatus(), err, out)
		}
	}
}
