package build

import (
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// meeting is a Dockerfile of two stages that both wait for the other's marker in a
// cache, then do what is asked.
func meeting(one, two string) string {
	wait := func(mine, other string) string {
		return "RUN --mount=type=cache,id=meeting,target=/m touch /m/" + mine + "; i=0; until test -e /m/" + other +
			"; do i=$((i+1)); test $i -lt 600 || exit 99; sleep 0.1; done; "
	}
	return "FROM base AS one\n" + wait("one", "two") + one + "\nFROM base AS two\n" + wait("two", "one") + two +
		"\nFROM base\nCOPY --from=one /f /one\nCOPY --from=two /f /two\n"
}

// TestStagesRunAtOnce: two steps meet, which they can only when both run.
func TestStagesRunAtOnce(t *testing.T) {
	p := newBuilder(t).project(t, map[string]string{"Dockerfile": meeting("echo 1 > /f", "echo 2 > /f")})
	_, img := p.build("--jobs", "2")
	for path, want := range map[string]string{"/one": "1\n", "/two": "2\n"} {
		if n := img.tree[path]; n == nil || n.content != want {
			t.Errorf("%s is %+v", path, n)
		}
	}
}

// TestOneAtATime: a step that may be the only one does not wait for another stage.
func TestOneAtATime(t *testing.T) {
	p := newBuilder(t).project(t, map[string]string{
		"Dockerfile": "FROM base AS one\nRUN mkdir /s && echo 1 > /s/f\nFROM base\n" +
			"RUN --mount=type=cache,target=/c,from=one,source=/s cat /c/f > /f\n" +
			"COPY --from=one /s/f /copied\n",
	})
	_, img := p.build("--jobs", "1")
	if n := img.tree["/f"]; n == nil || n.content != "1\n" {
		t.Errorf("/f is %+v", n)
	}
}

// TestFailureEndsOthers: when a stage fails the steps of others end with it.
func TestFailureEndsOthers(t *testing.T) {
	b := newBuilder(t)
	before := b.leavings(t)
	p := b.project(t, map[string]string{"Dockerfile": meeting("exit 5", "exec sh -c 'sleep 1000; :' leave-me-4711")})
	code, out := b.berth(t, nil, "build", "--progress", "plain", "--jobs", "2", p.dir)
	if code != 1 || !strings.Contains(out, "exit status 5") {
		t.Errorf("status %d:\n%s", code, out)
	}
	b.sound(t, before)
}

// TestInterruptOfTwo: ^C ends the steps of all stages.
func TestInterruptOfTwo(t *testing.T) {
	b := newBuilder(t)
	before := b.leavings(t)
	sleep := "echo step-is-running-$((40+2)); exec sh -c 'sleep 1000; :' leave-me-4711"
	p := b.project(t, map[string]string{"Dockerfile": meeting(sleep, sleep)})
	code, out, signalled := b.interrupt(t, "step-is-running-42", 2, "--jobs", "2", p.dir)
	if !signalled || code == 0 {
		t.Errorf("status %d:\n%s", code, out)
	}
	b.sound(t, before)
}

// TestSSH: a step talks to the agent by a socket of its own, of the owner and mode
// that it asks for, and nothing of it stays.
func TestSSH(t *testing.T) {
	b := newBuilder(t)
	socket := sshAgent(t)
	p := b.project(t, map[string]string{"Dockerfile": `FROM base
RUN --mount=type=ssh --mount=target=/src echo $SSH_AUTH_SOCK > /at && /src/client > /keys
RUN --mount=type=ssh,id=key,target=/tmp/key,uid=1000,gid=50,mode=0620 stat -c '%u:%g %a' /tmp/key > /s; echo $SSH_AUTH_SOCK >> /s
RUN test -z "$SSH_AUTH_SOCK" && test ! -e /tmp/key && test ! -e /run/buildkit && echo gone > /gone
`})
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(p.dir, "client"), self, 0o600))
	must(t, os.Chmod(filepath.Join(p.dir, "client"), 0o755))
	_, img := p.build("--ssh", "default="+socket, "--ssh", "key="+socket)
	for path, want := range map[string]string{"/at": "/run/buildkit/ssh_agent.0\n", "/keys": "1\n", "/s": "1000:50 620\n/tmp/key\n", "/gone": "gone\n"} {
		if n := img.tree[path]; n == nil || n.content != want {
			t.Errorf("%s is %+v, want %q", path, n, want)
		}
	}
	for _, path := range []string{"/run/buildkit", "/tmp/key"} {
		if img.tree[path] != nil {
			t.Errorf("%s is in the image", path)
		}
	}
	p.write("Dockerfile", "FROM base\nRUN --mount=type=ssh,required true\n")
	if code, out := b.berth(t, []string{"SSH_AUTH_SOCK="}, "build", p.dir); code != 1 || !strings.Contains(out, "--ssh") {
		t.Errorf("a required agent that is not given: status %d:\n%s", code, out)
	}
}

// TestSSHKey: a key stands for an agent. It reaches the step's requests and nothing
// else: not the store, the image, an exported cache.
func TestSSHKey(t *testing.T) {
	b := newBuilder(t)
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("no ssh-keygen (Debian: openssh-client)")
	}
	dir := tempDir(t)
	key, locked := filepath.Join(dir, "key"), filepath.Join(dir, "locked")
	for file, passphrase := range map[string]string{key: "", locked: "secret"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", file).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	p := b.project(t, map[string]string{"Dockerfile": "FROM base\nRUN --mount=type=ssh,id=deploy --mount=target=/src /src/client > /keys\n"})
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(p.dir, "client"), self, 0o600))
	must(t, os.Chmod(filepath.Join(p.dir, "client"), 0o755))
	out, img := p.build("--ssh", "deploy="+key, "--cache-to", "type=local,mode=max,dest="+dir+"/cache", "--metadata-file", dir+"/metadata")
	if n := img.tree["/keys"]; n == nil || n.content != "1\n" {
		t.Errorf("/keys is %+v:\n%s", n, out)
	}
	if code, out := b.berth(t, nil, "build", "--tag", "k:1", "--ssh", "deploy="+key, p.dir); code != 0 {
		t.Errorf("status %d:\n%s", code, out)
	}
	for what, secret := range privateParts(t, key) {
		for _, place := range []string{b.store, dir + "/cache", dir + "/metadata"} {
			if hit := unpackedGrep(t, place, secret); hit != "" {
				t.Errorf("%s of the key is in %s", what, hit)
			}
		}
	}
	if code, out := b.berth(t, nil, "build", "--ssh", "deploy="+locked, p.dir); code == 0 || !strings.Contains(out, "passphrase") {
		t.Errorf("a key with a passphrase: status %d:\n%s", code, out)
	}
}

// privateParts are the texts by which a private key is found: a line of the file, and
// the secret in the middle of its binary form.
func privateParts(t *testing.T, file string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(file)
	must(t, err)
	block, _ := pem.Decode(raw)
	if block == nil {
		t.Fatalf("%s: no PEM", file)
	}
	lines := strings.Split(string(raw), "\n")
	// The key's 64 bytes, secret and public, stand before comment and padding.
	seed := block.Bytes[len(block.Bytes)-96 : len(block.Bytes)-80]
	return map[string]string{"a line": lines[len(lines)-4], "a part": string(seed)}
}

// sshAgent starts an agent with one key and returns its socket.
func sshAgent(t *testing.T) string {
	t.Helper()
	dir := tempDir(t)
	socket, key := filepath.Join(dir, "agent"), filepath.Join(dir, "key")
	for _, program := range []string{"ssh-agent", "ssh-add", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s (Debian: openssh-client)", program)
		}
	}
	cmd := exec.Command("ssh-agent", "-D", "-a", socket)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // it was killed
	})
	for deadline := time.Now().Add(20 * time.Second); !exists(socket); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("ssh-agent does not listen")
		}
	}
	for _, args := range [][]string{{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key}, {"ssh-add", "-q", key}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
	return socket
}

// TestLimits: --memory ends a step that takes more, and says so; --network none cuts
// the steps off, and forbids RUN --network=host.
func TestLimits(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{
		"Dockerfile": "FROM base\nRUN dd if=/dev/zero of=/dev/null bs=300M count=1\n",
		"network":    "FROM base\nRUN grep -c : /proc/net/dev > /n\n",
		"host":       "FROM base\nRUN --network=host true\n",
	})
	if os.Geteuid() == 0 {
		code, out := b.berth(t, nil, "build", "--progress", "plain", "--memory", "32m", p.dir)
		if code != 1 || !strings.Contains(out, "exit status 137") || !strings.Contains(out, "out of memory") {
			t.Errorf("--memory: status %d:\n%s", code, out)
		}
	} else {
		t.Log("not root: --memory, which needs a cgroup, is not tested")
	}
	_, img := p.build("--network", "none", "--file", filepath.Join(p.dir, "network"))
	if n := img.tree["/n"]; n == nil || n.content != "1\n" {
		t.Errorf("--network none: /n is %+v", n)
	}
	if code, out := b.berth(t, nil, "build", "--network", "none", "--file", filepath.Join(p.dir, "host"), p.dir); code != 1 || !strings.Contains(out, "network.host") {
		t.Errorf("RUN --network=host: status %d:\n%s", code, out)
	}
}

// TestProgress: objects for programs, a terminal that is drawn anew, the error in the
// end either way.
func TestProgress(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM base\nRUN echo first-line\nRUN printf 'a\\033[2Jb\\n'; echo last-words; sleep 1; exit 4\n"})
	code, out := b.berth(t, nil, "build", "--progress", "json", p.dir)
	if code != 1 {
		t.Errorf("json: status %d:\n%s", code, out)
	}
	var events []string
	for line := range strings.Lines(out) {
		var e struct{ Time, Name, Event, Text string }
		if strings.HasPrefix(line, "{") {
			must(t, json.Unmarshal([]byte(line), &e))
			events = append(events, e.Event+" "+e.Text)
		}
	}
	for _, want := range []string{"output first-line", "output last-words", "error RUN printf 'a\\033[2Jb\\n'; echo last-words; sleep 1; exit 4: exit status 4"} {
		if !slices.Contains(events, want) {
			t.Errorf("json: no event %q in %q", want, events)
		}
	}
	screen := b.onTerminal(t, "build", p.dir)
	for _, want := range []string{"CACHED [2/3] RUN echo first-line", "ERROR [3/3]", "\x1b[J", "[+] Failed", "last-words", ">>> RUN printf", "exit status 4"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the terminal does not have %q:\n%q", want, screen)
		}
	}
	if strings.Contains(screen, "\x1b[2J") {
		t.Errorf("the step wrote an escape sequence to the terminal:\n%q", screen)
	}
}
