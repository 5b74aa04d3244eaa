package build

import (
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
)

// tenInstructions is what TestBench builds. Its last instruction copies the file
// that one of the rounds changes.
const tenInstructions = `FROM base
ENV A=1 B=2
WORKDIR /src
COPY tree .
RUN mkdir -p /out && for i in 1 2 3 4 5 6 7 8 9; do echo $i > /out/$i; done
RUN cat /out/* > /out/all
LABEL l=1
RUN find / -xdev -name 'f*' > /out/list; true
CMD ["cat", "/out/all"]
COPY last /last
`

// contender is a program that builds the same project.
type contender struct {
	name string
	// build returns the command that builds dir, with or without a cache.
	build func(dir string, cache bool) *exec.Cmd
	// cold, warm and changed are the times of its rounds.
	times map[string][]cost
}

// cost is what one build took.
type cost struct{ wall, cpu time.Duration }

// TestBench compares berth with buildah and podman in one interleaved run, and
// prints; it asserts nothing. `make bench-build` runs it.
func TestBench(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("BERTH_BENCH"))
	if err != nil {
		t.Skip("BERTH_BENCH is not set: make bench-build measures")
	}
	b := newBuilder(t)
	files := map[string]string{"Dockerfile": tenInstructions, "last": "0\n"}
	for i := range 300 {
		files[fmt.Sprintf("tree/d%d/f%d", i%20, i)] = strings.Repeat(fmt.Sprintln("line", i), 100)
	}
	p := b.project(t, files)
	contenders := append([]*contender{b.contender()}, peerContenders(t)...)
	for round := range rounds {
		for _, c := range contenders {
			p.write("last", fmt.Sprintln(round, c.name))
			c.measure(t, "cold", c.build(p.dir, false))
			// The cache must hold what was built, whatever --no-cache did to it.
			if out, err := c.build(p.dir, true).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", c.name, err, out)
			}
			c.measure(t, "warm", c.build(p.dir, true))
			p.write("last", fmt.Sprintln("changed", round, c.name))
			c.measure(t, "changed", c.build(p.dir, true))
		}
	}
	printContenders(contenders)
}

// TestBenchRun measures what a RUN step costs, and prints.
func TestBenchRun(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("BERTH_BENCH"))
	if err != nil {
		t.Skip("BERTH_BENCH is not set: make bench-build measures")
	}
	newBuilder(t).benchRun(t, rounds)
}

func (b *builder) contender() *contender {
	return &contender{name: "berth", times: map[string][]cost{}, build: func(dir string, cache bool) *exec.Cmd {
		args := []string{"build", "--quiet", "--tag", "bench:1"}
		if !cache {
			args = append(args, "--no-cache")
		}
		cmd := exec.Command(b.runtime, append(args, dir)...)
		cmd.Env = append(os.Environ(), "BERTH_STORE="+b.store)
		return cmd
	}}
}

// peerContenders are buildah with both of its isolations, and podman, where they
// are installed and work here.
func peerContenders(t *testing.T) []*contender {
	var list []*contender
	archive := filepath.Join(t.TempDir(), "base.tar")
	writeBase(t, archive)
	for _, peer := range []struct {
		program string
		args    []string
	}{
		// runc, because crun refuses hybrid hosts.
		{"buildah", []string{"--isolation", "oci", "--runtime", "runc"}}, {"buildah", []string{"--isolation", "chroot"}}, {"podman", []string{"--isolation", "oci", "--runtime", "runc"}},
	} {
		path, err := exec.LookPath(peer.program)
		if err != nil || os.Geteuid() != 0 {
			fmt.Printf("%s: not measured: not installed, or not root\n", peer.program)
			continue
		}
		dir := t.TempDir()
		storage := []string{"--root", dir + "/root", "--runroot", dir + "/run", "--storage-driver", "overlay"}
		pull := exec.Command(path, append(slices.Clone(storage), "pull", "--quiet", "oci-archive:"+archive)...)
		id, err := pull.Output()
		if err == nil {
			err = exec.Command(path, append(slices.Clone(storage), "tag", strings.TrimSpace(string(id)), "docker.io/library/base:latest")...).Run()
		}
		if err != nil {
			fmt.Printf("%s: not measured: pull: %v\n", peer.program, err)
			continue
		}
		t.Cleanup(func() {
			// The directory cannot be removed while storage is mounted on itself.
			_ = syscall.Unmount(dir+"/root/overlay", syscall.MNT_DETACH)
		})
		list = append(list, &contender{
			name: strings.Join(append([]string{peer.program}, peer.args...), " "), times: map[string][]cost{},
			build: func(context string, cache bool) *exec.Cmd {
				args := append(slices.Clone(storage), "build", "--layers", "--quiet", "--pull=never", "--tag", "bench")
				if !cache {
					args = append(args, "--no-cache")
				}
				return exec.Command(path, append(append(args, peer.args...), context)...)
			},
		})
	}
	return list
}

func (c *contender) measure(t *testing.T, what string, cmd *exec.Cmd) {
	t.Helper()
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s, %s: %v: %s", c.name, what, err, out)
	}
	c.times[what] = append(c.times[what], cost{time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()})
}

func median(list []cost, of func(cost) time.Duration) time.Duration {
	var times []time.Duration
	for _, c := range list {
		times = append(times, of(c))
	}
	slices.Sort(times)
	return times[len(times)/2]
}

func least(list []cost, of func(cost) time.Duration) time.Duration {
	time := of(list[0])
	for _, c := range list {
		time = min(time, of(c))
	}
	return time
}

func wall(c cost) time.Duration { return c.wall }
func cpu(c cost) time.Duration  { return c.cpu }

func printContenders(list []*contender) {
	fmt.Printf("\n%-38s %-8s %10s %10s %8s %8s\n", "ten instructions", "", "wall ms", "cpu ms", "ratio", "ratio")
	for _, what := range []string{"cold", "warm", "changed"} {
		for _, c := range list {
			w, u := median(c.times[what], wall), median(c.times[what], cpu)
			fmt.Printf("%-38s %-8s %10.1f %10.1f %8.2f %8.2f\n", c.name, what, w.Seconds()*1e3, u.Seconds()*1e3,
				w.Seconds()/median(list[0].times[what], wall).Seconds(), u.Seconds()/median(list[0].times[what], cpu).Seconds())
		}
	}
}

// benchRun measures what a RUN step costs over its command: what one more step adds to
// a build, without the time that the command takes where it is started directly.
func (b *builder) benchRun(t *testing.T, rounds int) {
	const steps = 20
	program, err := exec.LookPath("busybox")
	must(t, err)
	some := b.project(t, map[string]string{"Dockerfile": "FROM base\n" + strings.Repeat("RUN [\"true\"]\n", steps)})
	twice := b.project(t, map[string]string{"Dockerfile": "FROM base\n" + strings.Repeat("RUN [\"true\"]\n", 2*steps)})
	c := b.contender()
	for range rounds {
		c.measure(t, "some", c.build(some.dir, false))
		c.measure(t, "twice", c.build(twice.dir, false))
		for range steps {
			c.measure(t, "own", exec.Command(program, "true"))
		}
	}
	ms := func(pick func([]cost, func(cost) time.Duration) time.Duration, of func(cost) time.Duration) float64 {
		step := (pick(c.times["twice"], of) - pick(c.times["some"], of)) / steps
		return (step - pick(c.times["own"], of)).Seconds() * 1e3
	}
	fmt.Printf("\na RUN step over its command, ms (%d rounds of %d and %d steps)\n%-8s %8s %8s\n", rounds, steps, 2*steps, "", "wall", "cpu")
	fmt.Printf("%-8s %8.1f %8.1f\n%-8s %8.1f %8.1f\n", "median", ms(median, wall), ms(median, cpu), "least", ms(least, wall), ms(least, cpu))
}
