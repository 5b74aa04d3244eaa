package load

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// callers is how many call the runtime at the same time.
const callers = 16

// containers is how many there are of them.
func containers(x *Test) int {
	x.Helper()
	text := os.Getenv("BERTH_LOAD_CONTAINERS")
	if text == "" {
		return 1000
	}
	n, err := strconv.Atoi(text)
	x.Must(err)
	return n
}

// crowd are containers of one bundle.
type crowd struct {
	x      *Test
	bundle *Bundle
	ids    []string
	pids   []int
}

func newCrowd(x *Test, n int) *crowd {
	x.Helper()
	c := &crowd{x: x, bundle: x.Bundle(byID, sleeping), ids: make([]string, n), pids: make([]int, n)}
	for i := range n {
		c.ids[i] = fmt.Sprintf("%s.%d", x.ID, i)
	}
	// In case the test ends early; each in a call of its own, like all others.
	x.Cleanup(func() { c.each(c.forget) })
	return c
}

// each calls do for every container, from callers goroutines.
func (c *crowd) each(do func(i int)) {
	next := make(chan int)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range c.ids {
		next <- i
	}
	close(next)
	all.Wait()
}

// call calls the runtime; it may run beside others, so it fails without ending the test.
func (c *crowd) call(args ...string) bool {
	r := c.x.Do(args...)
	if r.Code != 0 || r.Stderr != "" {
		c.x.Errorf("%v", r)
	}
	return r.Code == 0
}

// create creates one and notes its init, which the suite inherits.
func (c *crowd) create(i int) bool {
	file := filepath.Join(c.x.Dir, "pid."+strconv.Itoa(i))
	if !c.call("create", "--bundle", c.bundle.Dir, "--pid-file", file, c.ids[i]) {
		return false
	}
	text, err := os.ReadFile(file)
	if err == nil {
		c.pids[i], err = strconv.Atoi(string(text))
	}
	if err != nil {
		c.x.Errorf("%v", err)
	}
	return err == nil
}

func (c *crowd) up(i int) {
	if c.create(i) {
		c.call("start", c.ids[i])
	}
}

// remove deletes one and collects its init.
func (c *crowd) remove(i int) {
	if c.call("delete", "--force", c.ids[i]) {
		c.collect(i)
	}
}

func (c *crowd) collect(i int) {
	pid := c.pids[i]
	if pid == 0 {
		return
	}
	c.pids[i] = 0
	if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
		c.x.Errorf("init of %s, process %d: %v", c.ids[i], pid, err)
	}
}

func (c *crowd) forget(i int) {
	if c.pids[i] != 0 {
		c.x.Do("delete", "--force", c.ids[i])
		_ = syscall.Kill(c.pids[i], syscall.SIGKILL) // not collected, so still its own number
		c.collect(i)
	}
}

// byID leaves the place of the cgroup to the runtime: the bundle serves many containers.
func byID(s *specs.Spec) { s.Linux.CgroupsPath = "" }

// sleeping runs a program that is small, as there are many.
func sleeping(s *specs.Spec) { s.Process.Args = []string{"/bin/sleep", "100000"} }

// A thousand containers at once: all can be made, listed and removed by callers side
// by side, and leave no cgroup, mount, state directory or process.
func TestThousandAlive(t *testing.T) {
	x := New(t, Root, Cgroup(), Serial)
	n := containers(x)
	c := newCrowd(x, n)
	begin := time.Now()
	c.each(c.up)
	t.Logf("create and start of %d containers: %v", n, time.Since(begin))
	if t.Failed() {
		t.FailNow()
	}
	checkList(x, c)
	begin = time.Now()
	c.each(c.remove)
	t.Logf("delete: %v", time.Since(begin))
	nothingLeft(x)
}

// checkList lists them all in every way, and tells how long that takes.
func checkList(x *Test, c *crowd) {
	x.Helper()
	for _, args := range [][]string{{"list"}, {"list", "--quiet"}, {"list", "--format", "json"}} {
		begin := time.Now()
		r := x.OK(args...)
		x.Logf("%v over %d containers: %v", args, len(c.ids), time.Since(begin))
		if args[len(args)-1] != "json" {
			continue
		}
		var list []State
		x.JSON(r.Stdout, &list)
		Equal(x, "containers listed", len(list), len(c.ids))
		for _, s := range list {
			if s.Status != "running" {
				x.Errorf("%s is %s", s.ID, s.Status)
			}
		}
	}
}

// Creates, starts and deletes of different containers at the same moment do not get
// in each other's way.
func TestChurn(t *testing.T) {
	x := New(t, Root, Cgroup(), Serial)
	c := newCrowd(x, containers(x)/4)
	short := x.BundleFor(x.ID+"-short", byID)
	c.each(func(i int) {
		switch i % 3 {
		case 0:
			c.create(i)
		case 1:
			c.up(i)
		default:
			// In the foreground, with an end of its own.
			c.call("run", "--bundle", short.Dir, c.ids[i])
			return
		}
		if !t.Failed() {
			c.remove(i)
		}
	})
	nothingLeft(x)
}

// nothingLeft fails if anything of the containers is left, also in the directory of states.
func nothingLeft(x *Test) {
	x.Helper()
	x.NothingLeft()
	entries, err := os.ReadDir(x.Root)
	x.Must(err)
	for _, e := range entries {
		x.Errorf("left in the runtime's directory: %s", e.Name())
	}
}
