package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// processes lists living processes of this test: by cgroup, command line or an
// environment variable that carries its id. The suite itself is left out.
func (x *Test) processes() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() || isZombie(pid) {
			continue
		}
		for _, file := range []string{"cgroup", "cmdline", "environ"} {
			text, err := os.ReadFile(filepath.Join("/proc", entry.Name(), file))
			if err == nil && containsID(text, x.ID) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// containsID looks for id where it does not go on with a further digit or letter.
func containsID(text []byte, id string) bool {
	for {
		i := bytes.Index(text, []byte(id))
		if i < 0 {
			return false
		}
		text = text[i+len(id):]
		if len(text) == 0 || plain(rune(text[0])) == '_' {
			return true
		}
	}
}

func isZombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, ok := strings.Cut(string(text), ") ")
	return !ok || strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

// reap collects the containers' init processes that were reparented to the suite.
// Zombies of unknown origin wait for the end of the suite: another test may want
// their status.
func (x *Test) reap() {
	for _, pid := range x.inits {
		_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
	}
}

// Alive says that a process exists and is no zombie.
func Alive(pid int) bool { return pid > 0 && !isZombie(pid) }

// adopt reaps, for as long as the suite runs, orphans that came to it out of
// containers' pid namespaces, as an engine's subreaper does: a pid namespace ends
// only when all of its zombies are reaped. The containers' inits are left to the
// tests, and direct children of the suite to os/exec.
func adopt() {
	for {
		begin := time.Now()
		for _, pid := range children() {
			if isZombie(pid) && isOrphan(pid) {
				_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
			}
		}
		// A thousand children take a while to look at.
		time.Sleep(max(20*time.Millisecond, 10*time.Since(begin)))
	}
}

// isOrphan says that a process is in a pid namespace below the suite's and not its init.
func isOrphan(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), "\nNSpid:")
	line, _, _ := strings.Cut(rest, "\n")
	ids := strings.Fields(line)
	return len(ids) > 1 && ids[len(ids)-1] != "1"
}
