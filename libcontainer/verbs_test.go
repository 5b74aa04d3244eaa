package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"berth/cgroups"
	"berth/cgroups/manager"
	"berth/internal/log"
	"berth/libcontainer/state"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The verbs of this package that need a state file only are tested on containers
// that have one, a cgroup and processes, but no namespaces.

func runtimeFor(t *testing.T) *Runtime {
	rt, _ := runtimeWithLog(t)
	return rt
}

func runtimeWithLog(t *testing.T) (*Runtime, string) {
	t.Helper()
	logFile := filepath.Join(t.TempDir(), "log")
	l, err := log.New(log.Options{Path: logFile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Runtime{Root: filepath.Join(t.TempDir(), "root"), Log: l, CgroupDriver: "cgroupfs"}, logFile
}

// process is a child of the test that a goroutine reaps.
type process struct {
	pid  int
	ends chan syscall.WaitStatus
}

func spawn(t *testing.T) *process {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Skip("starting sleep: ", err)
	}
	p := &process{cmd.Process.Pid, make(chan syscall.WaitStatus, 1)}
	go func() {
		// The status is looked at, not the error made of it.
		_ = cmd.Wait()
		p.ends <- cmd.ProcessState.Sys().(syscall.WaitStatus)
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // mostly gone already
	return p
}

// diedOf waits for the end of the process.
func (p *process) diedOf(t *testing.T, sig syscall.Signal) {
	t.Helper()
	select {
	case ws := <-p.ends:
		p.ends <- ws
		if ws.Signal() != sig {
			t.Errorf("process ended with %v, want %v", ws, sig)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("process did not die of %v", sig)
	}
}

func (p *process) lives(t *testing.T) {
	t.Helper()
	select {
	case ws := <-p.ends:
		p.ends <- ws
		t.Errorf("process ended with %v", ws)
	default:
	}
}

// fake is a container under test.
type fake struct {
	rt    *Runtime
	id    string
	state *state.State
	mgr   cgroups.Manager
	procs []*process
}

// containerOf makes one with n processes, the first of them its init.
func containerOf(t *testing.T, rt *Runtime, n int, change func(*state.State)) *fake {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a cgroup")
	}
	f := &fake{rt: rt, id: fmt.Sprintf("berth-verbs-%d-%s", os.Getpid(), filepath.Base(t.TempDir()))}
	f.id += strconv.FormatInt(time.Now().UnixNano(), 36)
	m, err := manager.New(cgroups.Config{ID: f.id, Driver: rt.CgroupDriver})
	if err != nil {
		t.Fatal(err)
	}
	f.mgr = m
	if err := m.Create(); err != nil {
		t.Skip("making a cgroup: ", err)
	}
	t.Cleanup(func() { f.clear(t) })
	for range n {
		p := spawn(t)
		f.procs = append(f.procs, p)
		if err := m.Add(p.pid); err != nil {
			t.Fatal(err)
		}
	}
	f.state = &state.State{
		ID: f.id, OCIVersion: "1.2.0", Bundle: "/b", Rootfs: "/b/rootfs", Created: time.Now().UTC(),
		PrivatePIDNS: true, Cgroup: m.Record(), Annotations: map[string]string{"k": "v"},
	}
	if n > 0 {
		f.state.PID = f.procs[0].pid
		if f.state.StartTime, err = state.StartTime(f.state.PID); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(f.state)
	}
	dir, err := rt.store().Create(f.id)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(dir.Save(f.state), dir.SaveConfig([]byte("{}")), dir.Close()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fake) dir() string { return f.rt.Root + "/" + f.id }

// clear leaves nothing behind, whatever the test has done.
func (f *fake) clear(t *testing.T) {
	for _, err := range []error{f.mgr.Freeze(false), f.mgr.Kill(), f.mgr.Destroy()} {
		if err != nil && !noCgroup(err) {
			t.Error(err)
		}
	}
}

// gone checks that nothing is left of a deleted container.
func (f *fake) gone(t *testing.T) {
	t.Helper()
	if _, err := os.Lstat(f.dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("state directory: %v", err)
	}
	for _, path := range f.mgr.Record().Paths {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("cgroup %s: %v", path, err)
		}
	}
}

func (f *fake) status(t *testing.T) string {
	t.Helper()
	info, err := f.rt.State(f.id)
	if err != nil {
		t.Fatal(err)
	}
	return info.Status
}

func shared(s *state.State) { s.PrivatePIDNS = false }

func TestKill(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 2, nil)
	kill := func(sig syscall.Signal, all bool) error {
		return rt.Kill(KillOptions{ID: f.id, Signal: sig, All: all})
	}
	if err := kill(0, false); err != nil {
		t.Error(err)
	}
	if err := kill(syscall.SIGTERM, false); err != nil {
		t.Fatal(err)
	}
	f.procs[0].diedOf(t, syscall.SIGTERM)
	f.procs[1].lives(t)
	if got := f.status(t); got != "stopped" {
		t.Errorf("status %s", got)
	}
	for _, sig := range []syscall.Signal{0, syscall.SIGTERM, syscall.SIGKILL} {
		if err := kill(sig, false); !errors.Is(err, ErrNotRunning) || err.Error() != "container not running" {
			t.Errorf("kill %d of a stopped container: %v", sig, err)
		}
		if err := kill(sig, true); err != nil {
			t.Errorf("kill --all %d of a stopped container: %v", sig, err)
		}
	}
	if err := rt.Kill(KillOptions{ID: "none", All: true}); !errors.Is(err, state.ErrNotExist) {
		t.Errorf("kill of nothing: %v", err)
	}
}

func TestKillAll(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 3, nil)
	if err := rt.Kill(KillOptions{ID: f.id, Signal: syscall.SIGUSR1, All: true}); err != nil {
		t.Fatal(err)
	}
	for _, p := range f.procs {
		p.diedOf(t, syscall.SIGUSR1)
	}
}

// Without a pid namespace SIGKILL takes the whole cgroup, also when init is dead.
func TestKillSharedPIDNamespace(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 3, shared)
	if err := syscall.Kill(f.procs[0].pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	f.procs[0].diedOf(t, syscall.SIGTERM)
	if err := rt.Kill(KillOptions{ID: f.id, Signal: syscall.SIGTERM}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
	if err := rt.Kill(KillOptions{ID: f.id, Signal: syscall.SIGKILL}); err != nil {
		t.Fatal(err)
	}
	f.procs[1].diedOf(t, syscall.SIGKILL)
	f.procs[2].diedOf(t, syscall.SIGKILL)
}

// The number of a dead init may belong to another process by now.
func TestKillSparesTheNextOwnerOfThePid(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 1, func(s *state.State) { s.StartTime++ })
	if err := rt.Kill(KillOptions{ID: f.id, Signal: syscall.SIGKILL}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
	f.procs[0].lives(t)
}

func TestPauseAndResume(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 1, nil)
	if err := rt.Resume(f.id); !errors.Is(err, ErrNotPaused) || err.Error() != "container not paused" {
		t.Errorf("resume of a running container: %v", err)
	}
	if err := rt.Pause(f.id); errors.Is(err, cgroups.ErrNoCgroup) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if got := f.status(t); got != "paused" {
		t.Errorf("status %s", got)
	}
	if err := rt.Pause(f.id); !errors.Is(err, ErrNotRunning) {
		t.Errorf("pause of a paused container: %v", err)
	}
	if err := rt.Delete(f.id, false); err == nil || err.Error() != "cannot delete container "+f.id+" that is not stopped: paused" {
		t.Errorf("delete of a paused container: %v", err)
	}
	if err := rt.Kill(KillOptions{ID: f.id, Signal: syscall.SIGTERM}); err != nil {
		t.Error(err)
	}
	f.procs[0].lives(t) // frozen: it dies once it is resumed
	if err := rt.Resume(f.id); err != nil {
		t.Fatal(err)
	}
	f.procs[0].diedOf(t, syscall.SIGTERM)
	if err := rt.Pause(f.id); !errors.Is(err, ErrNotRunning) {
		t.Errorf("pause of a stopped container: %v", err)
	}
}

func TestKillOfPaused(t *testing.T) {
	for _, all := range []bool{false, true} {
		rt := runtimeFor(t)
		f := containerOf(t, rt, 1, nil)
		if err := rt.Pause(f.id); err != nil {
			t.Skip(err)
		}
		if err := rt.Kill(KillOptions{ID: f.id, Signal: syscall.SIGKILL, All: all}); err != nil {
			t.Fatal(err)
		}
		f.procs[0].diedOf(t, syscall.SIGKILL)
	}
}

// A container can be paused before it is started, as runc's can.
func TestPauseOfCreated(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 1, nil)
	if err := os.WriteFile(f.dir()+"/"+state.StartSocket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do   func(string) error
		want string
	}{{func(string) error { return nil }, "created"}, {rt.Pause, "paused"}, {rt.Resume, "created"}} {
		if err := step.do(f.id); errors.Is(err, cgroups.ErrNoCgroup) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		if got := f.status(t); got != step.want {
			t.Errorf("status %s, want %s", got, step.want)
		}
	}
	if err := rt.Delete(f.id, false); err != nil {
		t.Fatal(err)
	}
	f.procs[0].diedOf(t, syscall.SIGKILL)
	f.gone(t)
}

func TestPs(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 3, nil)
	want := []int{f.procs[0].pid, f.procs[1].pid, f.procs[2].pid}
	slices.Sort(want)
	if got, err := rt.Ps(f.id); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestPsWithoutCgroup(t *testing.T) {
	rt := runtimeFor(t)
	rt.CgroupDriver = "disabled"
	f := containerOf(t, rt, 1, shared)
	if got, err := rt.Ps(f.id); err != nil || !slices.Equal(got, []int{f.state.PID}) {
		t.Errorf("got %v, %v", got, err)
	}
	if err := rt.Pause(f.id); !errors.Is(err, cgroups.ErrNoCgroup) {
		t.Errorf("pause: %v", err)
	}
	f = containerOf(t, rt, 1, nil) // "its" namespace is that of the test
	if got, err := rt.Ps(f.id); err != nil || !slices.Contains(got, f.state.PID) || !slices.Contains(got, os.Getpid()) {
		t.Errorf("got %v, %v", got, err)
	}
	if err := rt.Delete(f.id, true); err != nil {
		t.Fatal(err)
	}
	f.procs[0].diedOf(t, syscall.SIGKILL)
	f.gone(t)
}

func TestStateAndList(t *testing.T) {
	rt := runtimeFor(t)
	if infos, err := rt.List(); err != nil || len(infos) != 0 {
		t.Errorf("%v, %v", infos, err)
	}
	f := containerOf(t, rt, 1, nil)
	info, err := rt.State(f.id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"ociVersion":"1.2.0","id":%q,"pid":%d,"status":"running","bundle":"/b","rootfs":"/b/rootfs","created":%q,"annotations":{"k":"v"},"owner":"root"}`,
		f.id, f.state.PID, f.state.Created.Format(time.RFC3339Nano))
	if string(got) != want {
		t.Errorf("state is\n%s, want\n%s", got, want)
	}
	infos, err := rt.List()
	if err != nil || len(infos) != 1 {
		t.Fatal(infos, err)
	}
	if listed, err := json.Marshal(infos[0]); err != nil || string(listed) != want {
		t.Errorf("list has %s, %v", listed, err)
	}
	if err := syscall.Kill(f.state.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.procs[0].diedOf(t, syscall.SIGKILL)
	if info, err = rt.State(f.id); err != nil || info.PID != 0 || info.Status != "stopped" {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestDelete(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 2, nil)
	if err := rt.Delete(f.id, false); err == nil || err.Error() != "cannot delete container "+f.id+" that is not stopped: running" {
		t.Errorf("got %v", err)
	}
	f.procs[0].lives(t)
	// As the kernel does it at the end of a pid namespace.
	if err := f.mgr.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, p := range f.procs {
		p.diedOf(t, syscall.SIGKILL)
	}
	if err := rt.Delete(f.id, false); err != nil {
		t.Fatal(err)
	}
	f.gone(t)
	if err := rt.Delete(f.id, false); !errors.Is(err, state.ErrNotExist) || err.Error() != "container does not exist" {
		t.Errorf("got %v", err)
	}
	if err := rt.Delete(f.id, true); err != nil {
		t.Error(err)
	}
	if err := rt.Delete("..", true); !errors.Is(err, state.ErrInvalidID) {
		t.Errorf("got %v", err)
	}
}

func TestDeleteForce(t *testing.T) {
	for name, change := range map[string]func(*state.State){
		"running":           nil,
		"shared namespace":  shared,
		"create was killed": func(s *state.State) { s.PID, s.StartTime = 0, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			rt := runtimeFor(t)
			f := containerOf(t, rt, 1, change)
			if err := rt.Delete(f.id, true); err != nil {
				t.Fatal(err)
			}
			f.procs[0].diedOf(t, syscall.SIGKILL)
			f.gone(t)
		})
	}
}

func TestDeleteForceOfPaused(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 1, nil)
	if err := rt.Pause(f.id); err != nil {
		t.Skip(err)
	}
	if err := rt.Delete(f.id, true); err != nil {
		t.Fatal(err)
	}
	f.gone(t)
}

// Processes that outlived their init in the host's pid namespace go with delete.
func TestDeleteTakesLeftovers(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 2, shared)
	if err := syscall.Kill(f.state.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.procs[0].diedOf(t, syscall.SIGKILL)
	if err := rt.Delete(f.id, false); err != nil {
		t.Fatal(err)
	}
	f.procs[1].diedOf(t, syscall.SIGKILL)
	f.gone(t)
}

func TestDeleteOfUnfinished(t *testing.T) {
	for _, content := range []string{"", "{", `{"version":1}`, "none"} {
		rt := runtimeFor(t)
		dir, err := rt.store().Create("web")
		if err != nil {
			t.Fatal(err)
		}
		if content != "none" {
			err = os.WriteFile(dir.Path+"/"+state.StateFile, []byte(content), 0o600)
		}
		if err := errors.Join(err, dir.Close()); err != nil {
			t.Fatal(err)
		}
		if content != `{"version":1}` {
			if err := rt.Delete("web", false); !errors.Is(err, state.ErrNotExist) || !strings.Contains(err.Error(), "container does not exist") {
				t.Errorf("%s: delete: %v", content, err)
			}
		}
		if err := rt.Delete("web", true); err != nil {
			t.Errorf("%s: delete --force: %v", content, err)
		}
		if _, err := os.Lstat(dir.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", content, err)
		}
	}
}

// Another berth holds the lock and waits for the init process, as a start with a
// hook that hangs would.
func TestDeleteForceOfLocked(t *testing.T) {
	rt := runtimeFor(t)
	f := containerOf(t, rt, 1, nil)
	dir, err := rt.store().Open(f.id)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Lock(); err != nil {
		t.Fatal(err)
	}
	deleted := make(chan error)
	go func() { deleted <- rt.Delete(f.id, true) }()
	f.procs[0].diedOf(t, syscall.SIGKILL)
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	f.gone(t)
}

// Every poststop hook runs although one fails, and delete succeeds with a warning.
func TestPoststopHooks(t *testing.T) {
	rt, logFile := runtimeWithLog(t)
	f := containerOf(t, rt, 1, nil)
	out := filepath.Join(t.TempDir(), "out")
	hook := func(script string) specs.Hook {
		return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"OUT=" + out}}
	}
	config, err := json.Marshal(specs.Spec{Hooks: &specs.Hooks{Poststop: []specs.Hook{
		hook("exit 3"), hook(`cat > "$OUT"`), {Path: "/nowhere"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.dir()+"/"+state.ConfigFile, config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rt.Delete(f.id, true); err != nil {
		t.Fatal(err)
	}
	f.gone(t)
	var got specs.State
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &got); err != nil || got.Status != "stopped" || got.ID != f.id || got.Pid != 0 || got.Bundle != "/b" || got.Annotations["k"] != "v" {
		t.Errorf("hook got %s, %v", data, err)
	}
	rt.Log.Flush()
	logged, err := os.ReadFile(logFile)
	if err != nil || !strings.Contains(string(logged), "level=warning") || !strings.Contains(string(logged), "/nowhere") {
		t.Errorf("log holds %q, %v", logged, err)
	}
}
