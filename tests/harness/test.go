package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// User is the unprivileged user that root's rootless tests run as.
const User = 65533

var counter atomic.Int64

// Test is one test with its own directory, runtime root and container ids. Its
// Errorf and Fatalf replace those of testing.T, see PeerFails.
type Test struct {
	*testing.T
	// ID is the id of the test's first container, and part of every other.
	ID string
	// Dir is the test's own directory, Root the runtime's --root in it.
	Dir, Root string
	// Rootless says that the runtime runs as an ordinary user.
	Rootless bool
	// Env is added to the runtime's environment.
	Env []string

	mutex  sync.Mutex
	ids    []string
	ranges *idRanges // of an ordinary user, see IDs
	procs  []*Proc
	inits  []int  // containers' init processes
	known  string // why this peer fails; empty: it does not
	failed bool   // failed in a known way
}

// New starts a test: it skips unless all needs are met, runs it in parallel with
// others unless one of the needs is Serial, and checks at its end that nothing is left.
func New(t *testing.T, needs ...Need) *Test {
	t.Helper()
	x := &Test{T: t, Rootless: os.Geteuid() != 0}
	parallel := true
	for _, need := range needs {
		if need.serial {
			parallel = false
		}
		if need.prepare != nil {
			need.prepare(x)
		}
		if need.check == nil {
			continue
		}
		if reason := need.check(x); reason != "" {
			t.Skipf("needs %s", reason)
		}
	}
	if parallel {
		t.Parallel()
	}
	name := strings.ToLower(strings.NewReplacer("/", "-", "#", "", "Test", "").Replace(t.Name()))
	if len(name) > 30 {
		name = name[:30]
	}
	x.ID = fmt.Sprintf("bt%d-%d-%s", os.Getpid(), counter.Add(1), strings.Map(plain, name))
	x.Dir = filepath.Join(base, x.ID)
	x.Root = filepath.Join(x.Dir, "state")
	if err := os.MkdirAll(x.Root, 0o711); err != nil {
		t.Fatal(err)
	}
	x.ids = []string{x.ID}
	x.Own(x.Dir)
	x.Own(x.Root)
	t.Cleanup(x.finish)
	return x
}

// plain keeps the characters that any runtime takes in an id.
func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
		return r
	}
	return '_'
}

// NewID returns a further id, deleted and checked at the end like the first.
func (x *Test) NewID() string {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	id := fmt.Sprintf("%s.%d", x.ID, len(x.ids))
	x.ids = append(x.ids, id)
	return id
}

// Own gives a path to the user the runtime runs as.
func (x *Test) Own(path string) {
	x.Helper()
	if !x.Rootless || os.Geteuid() != 0 {
		return
	}
	if err := os.Lchown(path, User, User); err != nil {
		x.Fatalf("%v", err)
	}
}

// UID returns the user id the runtime runs as.
func (x *Test) UID() int {
	if x.Rootless && os.Geteuid() == 0 {
		return User
	}
	return os.Geteuid()
}

// PeerFails says that the named peer fails this test and why. With that peer a
// failure is printed as known and the test skipped; with berth it has no effect.
func (x *Test) PeerFails(peer, why string) {
	if runtimeName == peer {
		x.known = why
	}
}

// Errorf fails the test, or notes a known failure of a peer.
func (x *Test) Errorf(format string, args ...any) {
	x.Helper()
	if x.known == "" {
		x.T.Errorf(format, args...)
		return
	}
	x.failed = true
	x.Logf("known failure of %s (%s): %s", runtimeName, x.known, fmt.Sprintf(format, args...))
}

// Fatalf fails the test and ends it, or skips it when a peer is known to fail.
func (x *Test) Fatalf(format string, args ...any) {
	x.Helper()
	if x.known == "" {
		x.T.Fatalf(format, args...)
	}
	x.failed = true
	x.Skipf("known failure of %s (%s): %s", runtimeName, x.known, fmt.Sprintf(format, args...))
}

// Must fails the test when err is not nil.
func (x *Test) Must(err error) {
	x.Helper()
	if err != nil {
		x.Fatalf("%v", err)
	}
}

// Sub runs a subtest with an own Test.
func (x *Test) Sub(name string, f func(*Test), needs ...Need) {
	x.Helper()
	x.Run(name, func(t *testing.T) { f(New(t, needs...)) })
}

// Until polls a condition for up to 20 seconds (3 minutes under emulation would
// still be noticed by the suite's own limit) and fails with what it waited for.
func (x *Test) Until(what string, condition func() bool) {
	x.Helper()
	if !poll(20*time.Second, condition) {
		x.Fatalf("waited in vain: %s", what)
	}
}

func poll(limit time.Duration, condition func() bool) bool {
	limit *= time.Duration(slowness())
	for start := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
		if time.Since(start) > limit {
			return false
		}
	}
}

// finish ends what the test started, deletes its containers, and asserts that
// nothing of them is left on the host.
func (x *Test) finish() {
	for _, p := range x.procs {
		p.stop()
	}
	for _, id := range x.ids {
		x.forget(id)
	}
	var left []string
	if !poll(5*time.Second, func() bool { left = x.left(); return len(left) == 0 }) {
		x.Errorf("left on the host: %s", strings.Join(left, ", "))
		x.sweep()
	}
	x.reap()
	if x.known != "" && !x.failed && !x.Skipped() {
		x.Logf("%s passed in spite of: %s", runtimeName, x.known)
	}
	removeAll(x.Dir)
}

// Left names what exists of the test's containers: cgroups, mounts, state
// directories and processes.
func (x *Test) Left() []string { return x.left() }

func (x *Test) left() []string {
	left := cgroupsOf(x.ID)
	mounts, err := ReadMounts("/proc/self/mountinfo")
	if err != nil {
		left = append(left, err.Error())
	}
	for _, m := range mounts {
		if strings.HasPrefix(m.Point, x.Dir+"/") {
			left = append(left, "mount "+m.Point)
		}
	}
	if entries, err := os.ReadDir(x.Root); err == nil {
		for _, entry := range entries {
			if strings.Contains(entry.Name(), x.ID) {
				left = append(left, "state "+filepath.Join(x.Root, entry.Name()))
			}
		}
	}
	for _, pid := range x.processes() {
		left = append(left, fmt.Sprintf("process %d %s", pid, commandLine(pid)))
	}
	return left
}

// NothingLeft fails unless nothing of the test's containers is on the host now,
// without a delete: after a refused create or a foreground run.
func (x *Test) NothingLeft() {
	x.Helper()
	var left []string
	if !poll(3*time.Second, func() bool { left = x.left(); return len(left) == 0 }) {
		x.Errorf("left on the host: %s", strings.Join(left, ", "))
	}
}

// sweep takes away by hand what the runtime left, so that it disturbs no other test.
func (x *Test) sweep() {
	for _, dir := range cgroupsOf(x.ID) {
		RemoveCgroup(dir)
	}
	for _, pid := range x.processes() {
		killAndReap(pid)
	}
}

// Fewer is n, and a third of it on a slow machine (BERTH_TEST_SLOWNESS): what many
// callers wait for at once is a bound of the runtime's own.
func Fewer(n int) int {
	if slowness() > 1 {
		return (n + 2) / 3
	}
	return n
}

// slowness multiplies time limits, see BERTH_TEST_SLOWNESS.
func slowness() int {
	if n, err := strconv.Atoi(os.Getenv("BERTH_TEST_SLOWNESS")); err == nil && n > 0 {
		return n
	}
	return 1
}

func removeAll(dir string) {
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
	}
}

// Arch returns the machine's architecture in Go's spelling.
func Arch() string { return runtime.GOARCH }

// WriteFile writes a file the runtime's user owns and returns its path.
func (x *Test) WriteFile(path, text string, mode os.FileMode) string {
	x.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(x.Dir, path)
	}
	old := syscall.Umask(0)
	err := os.WriteFile(path, []byte(text), mode)
	syscall.Umask(old)
	x.Must(err)
	x.Own(path)
	return path
}

// Mkdir makes a directory (and its parents) the runtime's user owns and returns its path.
func (x *Test) Mkdir(path string) string {
	x.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(x.Dir, path)
	}
	x.Must(os.MkdirAll(path, 0o755))
	x.Own(path)
	return path
}

// ReadFile reads a file, relative to the test's directory, or fails.
func (x *Test) ReadFile(path string) string {
	x.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(x.Dir, path)
	}
	text, err := os.ReadFile(path)
	x.Must(err)
	return string(text)
}
