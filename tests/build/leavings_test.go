package build

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// grep finds a text in the files below dir and returns the first that has it.
// Layers are compressed: their unpacked form is in the store as well.
func grep(t *testing.T, dir, text string) string {
	t.Helper()
	hit := ""
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || hit != "" || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err == nil && bytes.Contains(raw, []byte(text)) {
			hit = path
		}
		return err
	}))
	return hit
}

// leavings is what a build could leave behind: mounts, containers' processes and
// cgroups, and temporary files of the store.
func (b *builder) leavings(t *testing.T) []string {
	t.Helper()
	var list []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	for line := range strings.SplitSeq(string(mounts), "\n") {
		if strings.Contains(line, b.store) {
			list = append(list, "mount "+line)
		}
	}
	for _, dir := range []string{"tmp", "ingest"} {
		entries, err := os.ReadDir(filepath.Join(b.store, dir))
		if err != nil {
			continue // the store makes it when it needs it
		}
		for _, e := range entries {
			list = append(list, dir+"/"+e.Name())
		}
	}
	processes, err := os.ReadDir("/proc")
	must(t, err)
	for _, p := range processes {
		raw, err := os.ReadFile("/proc/" + p.Name() + "/cmdline")
		if err == nil && bytes.Contains(raw, []byte("leave-me-4711")) {
			list = append(list, "process "+p.Name()+" "+string(bytes.ReplaceAll(raw, []byte{0}, []byte(" "))))
		}
	}
	slices.Sort(list)
	return list
}

// TestFailureLeavesNothing: a RUN that fails leaves no layer, mount, process or
// temporary file, and the store is sound.
func TestFailureLeavesNothing(t *testing.T) {
	b := newBuilder(t)
	before := b.leavings(t)
	layers := b.layers(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM base\nRUN sh -c 'sleep 1000; :' leave-me-4711 & echo x > /x; exit 3\n"})
	code, out := b.berth(t, nil, "build", "--progress", "plain", "--tag", "fails:1", p.dir)
	if code != 1 || !strings.Contains(out, "3") {
		t.Errorf("status %d:\n%s", code, out)
	}
	b.sound(t, before)
	if have := b.layers(t); !slices.Equal(have, layers) {
		t.Errorf("layers were %v and are %v", layers, have)
	}
	if code, out := b.berth(t, nil, "inspect", "fails:1"); code == 0 {
		t.Errorf("the image that failed is there: %s", out)
	}
}

// TestInterrupt: ^C ends the running step and leaves nothing.
func TestInterrupt(t *testing.T) {
	b := newBuilder(t)
	before := b.leavings(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM base\nRUN echo step-is-running-$((40+2)); exec sh -c 'sleep 1000; :' leave-me-4711\n"})
	code, out, signalled := b.interrupt(t, "step-is-running-42", 1, p.dir)
	if !signalled || code == 0 {
		t.Errorf("status %d:\n%s", code, out)
	}
	b.sound(t, before)
}

// interrupt builds and sends ^C once a text was printed so many times. It returns the
// status, the output and whether it came to that.
func (b *builder) interrupt(t *testing.T, text string, times int, args ...string) (int, string, bool) {
	t.Helper()
	var out bytes.Buffer
	reader, writer, err := os.Pipe()
	must(t, err)
	cmd := exec.Command(b.runtime, append([]string{"build", "--progress", "plain"}, args...)...)
	cmd.Env = append(os.Environ(), "BERTH_STORE="+b.store)
	cmd.Stdout, cmd.Stderr = writer, writer
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	must(t, writer.Close())
	signalled := false
	timer := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() }) // a build that never starts its step
	defer timer.Stop()
	buffer := make([]byte, 4096)
	for {
		n, err := reader.Read(buffer)
		out.Write(buffer[:n])
		if !signalled && strings.Count(out.String(), text) >= times {
			signalled = true
			// As a terminal does: to the whole group.
			must(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait() // its status is looked at
	return cmd.ProcessState.ExitCode(), out.String(), signalled
}

// TestKill: berth killed in the middle of a step leaves a sound store and, soon, no
// process of the step; the next build succeeds, and need not repeat what was done.
func TestKill(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM base\nRUN echo done > /first\nRUN echo step-is-running-$((40+2)); test -e /now || exec sh -c 'sleep 1000; :' leave-me-4711\n"})
	reader, writer, err := os.Pipe()
	must(t, err)
	cmd := exec.Command(b.runtime, "build", "--progress", "plain", p.dir)
	cmd.Env = append(os.Environ(), "BERTH_STORE="+b.store)
	cmd.Stdout, cmd.Stderr = writer, writer
	must(t, cmd.Start())
	must(t, writer.Close())
	var out bytes.Buffer
	buffer := make([]byte, 4096)
	for {
		n, err := reader.Read(buffer)
		out.Write(buffer[:n])
		if strings.Contains(out.String(), "step-is-running-42") {
			break
		}
		if err != nil {
			t.Fatalf("the step never ran:\n%s", out.String())
		}
	}
	until(t, "the cache knows the first step", func() bool {
		records, err := filepath.Glob(b.store + "/cache/*.json")
		return err == nil && len(records) > 0
	})
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	isProcess := func(line string) bool { return strings.HasPrefix(line, "process ") }
	until(t, "the step's process is gone", func() bool { return !slices.ContainsFunc(b.leavings(t), isProcess) })
	if code, out := b.berth(t, nil, "verify"); code != 0 {
		t.Errorf("verify: status %d: %s", code, out)
	}
	p.write("Dockerfile", "FROM base\nRUN echo done > /first\nRUN echo done > /f\n")
	printed, img := p.build()
	if img.tree["/f"] == nil || img.tree["/first"] == nil {
		t.Error("the next build has no /f, or no /first")
	}
	if strings.Count(printed, "CACHED") != 1 {
		t.Errorf("the first step was done again:\n%s", printed)
	}
	if code, out := b.berth(t, nil, "prune", "--force"); code != 0 {
		t.Errorf("prune: status %d: %s", code, out)
	}
}

// TestRuntimeKilled: a step whose runtime is killed fails at once and leaves nothing.
func TestRuntimeKilled(t *testing.T) {
	b := newBuilder(t)
	before := b.leavings(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM base\nRUN touch /x && exec sh -c 'sleep 1000; :' leave-me-4711\n"})
	var out bytes.Buffer
	cmd := exec.Command(b.runtime, "build", "--progress", "plain", p.dir)
	cmd.Env = append(os.Environ(), "BERTH_STORE="+b.store)
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	isStep := func(line string) bool {
		return strings.HasPrefix(line, "process ") && strings.HasSuffix(line, "sleep 1000; : leave-me-4711 ")
	}
	until(t, "the step runs", func() bool { return slices.ContainsFunc(b.leavings(t), isStep) })
	killed := 0
	processes, err := os.ReadDir("/proc")
	must(t, err)
	for _, process := range processes {
		raw, err := os.ReadFile("/proc/" + process.Name() + "/cmdline")
		if err != nil || !bytes.HasSuffix(raw, []byte("\x00steps\x00")) || !bytes.Contains(raw, []byte(b.store)) {
			continue
		}
		pid, err := strconv.Atoi(process.Name())
		must(t, err)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		killed++
	}
	_ = cmd.Wait() // its status is looked at
	if killed != 1 || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "the runtime ended") {
		t.Errorf("%d killed, status %d:\n%s", killed, cmd.ProcessState.ExitCode(), out.String())
	}
	b.sound(t, before)
}

// until waits for something to become true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

func (b *builder) layers(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.store, "layers"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			names = append(names, e.Name())
		}
	}
	return names
}

// sound checks that nothing is left but what was there, and the store.
func (b *builder) sound(t *testing.T, before []string) {
	t.Helper()
	for _, line := range b.leavings(t) {
		if !slices.Contains(before, line) {
			t.Errorf("left behind: %s", line)
		}
	}
	if code, out := b.berth(t, nil, "verify"); code != 0 {
		t.Errorf("verify: status %d: %s", code, out)
	}
}

// onTerminal calls berth on a terminal of its own and returns what that showed. The
// program is script(1).
func (b *builder) onTerminal(t *testing.T, args ...string) string {
	t.Helper()
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("no script (Debian: bsdutils)")
	}
	cmd := exec.Command(script, "-qec", "exec '"+b.runtime+"' '"+strings.Join(args, "' '")+"'", "/dev/null")
	cmd.Env = append(os.Environ(), "BERTH_STORE="+b.store)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}
