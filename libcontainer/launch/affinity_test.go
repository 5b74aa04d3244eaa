package launch

import (
	"bytes"
	"os"
	"strconv"
	"testing"

	"berth/internal/linux"
	"berth/nsenter"

	"golang.org/x/sys/unix"
)

// TestMain: as a child, report the CPU affinity over the fd that is the argument.
func TestMain(m *testing.M) {
	if len(os.Args) != 2 || os.Args[0] != "affinity" {
		os.Exit(m.Run())
	}
	fd, err := strconv.Atoi(os.Args[1])
	if err != nil {
		os.Exit(1)
	}
	mask, err := linux.SchedGetaffinity()
	if err != nil {
		os.Exit(2)
	}
	if _, err := unix.Write(fd, mask); err != nil {
		os.Exit(3)
	}
	os.Exit(0)
}

// The child starts with the mask, the caller keeps its own.
func TestStartOn(t *testing.T) {
	before, err := linux.SchedGetaffinity()
	if err != nil {
		t.Fatal(err)
	}
	for _, mask := range [][]byte{nil, one(before)} {
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		exe, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := startOn(mask, nsenter.Options{
			CgroupFD: -1, ExeFD: exe, Args: []string{"affinity", strconv.Itoa(pipe[1])}, Inherit: []int{pipe[1]},
		})
		unix.Close(pipe[1])
		unix.Close(exe)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1<<16)
		n, err := unix.Read(pipe[0], got)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(pipe[0])
		if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
			t.Fatal(err)
		}
		want := mask
		if want == nil {
			want = before
		}
		if !bytes.Equal(got[:n], want) {
			t.Errorf("the child runs on %x, want %x", got[:n], want)
		}
		after, err := linux.SchedGetaffinity()
		if err != nil || !bytes.Equal(after, before) {
			t.Errorf("the caller runs on %x after, %x before, %v", after, before, err)
		}
	}
	// No such CPU.
	if _, err := startOn([]byte{0, 0, 0, 0, 0, 0, 0, 0}, nsenter.Options{CgroupFD: -1, ExeFD: -1}); err == nil {
		t.Error("started without a CPU")
	}
}

// one returns the mask of the first CPU in mask.
func one(mask []byte) []byte {
	first := make([]byte, len(mask))
	for i, b := range mask {
		if b != 0 {
			first[i] = b & -b
			break
		}
	}
	return first
}
