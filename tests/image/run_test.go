package image

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

func TestRun(t *testing.T) {
	everybody(t, func(w *world) {
		img := w.layout(`{"Cmd": ["sh", "-c", "echo $A $(pwd) $(id -u)"], "Env": ["A=image"], "WorkingDir": "/made/here"}`)
		before := mounts(w.T)
		w.is(w.ok("run", "--image", img, w.id), "image /made/here 0")
		// By its name it comes from the store.
		if err := os.RemoveAll(strings.TrimPrefix(img, "oci:")); err != nil {
			w.Fatal(err)
		}
		w.is(w.ok("run", "--image", name, "--pull", "never", "-e", "A=flag", "-w", "/srv", w.id), "flag /srv 0")
		w.is(w.ok("run", "--image", name, w.id, "echo", "-n", "a  b"), "a  b")
		w.is(w.ok("run", "--image", name, w.id, "--", "hostname"), w.id)
		w.is(w.ok("run", "--image", name, "--entrypoint", "echo", w.id, "x"), "x")
		w.is(w.ok("run", "--image", name, "-e", "BERTH_TEST_SECRET", w.id, "sh", "-c", "echo $BERTH_TEST_SECRET"), "of the host")
		if r := w.berth("run", "--image", name, w.id, "sh", "-c", "exit 3"); r.code != 3 || r.errors != "" {
			w.Errorf("%+v", r)
		}
		if after := mounts(w.T); after != before {
			w.Errorf("mounts: %s, before %s", after, before)
		}
		w.is(w.ok("list", "-q"), "")
	})
}

func TestUserOfImage(t *testing.T) {
	everybody(t, func(w *world) {
		img := w.layout(`{"Cmd": ["id"], "User": "web"}`)
		if w.one {
			w.fails("is not mapped", "run", "--image", img, w.id)
			return
		}
		w.is(w.ok("run", "--image", img, w.id), "uid=1000(web) gid=1001(web) groups=29(audio),1001(web)")
		w.is(w.ok("run", "--image", img, "-u", "0", w.id, "id", "-u"), "0")
		w.is(w.ok("run", "--image", img, w.id, "sh", "-c", "touch /srv/x && stat -c %U:%G /srv/x /bin/busybox"), "web:web\nroot:root")
		w.is(w.ok("run", "--image", img, w.id, "cat", "/proc/self/status")[:5], "Name:")
	})
}

// What a container writes is its own, and goes with it: also what belongs to ids that
// the user may not touch.
func TestChangesGo(t *testing.T) {
	everybody(t, func(w *world) {
		img := w.layout(`{"Cmd": ["sh"]}`)
		script := "rm /etc/group && mkdir -m 700 /srv/d && touch /srv/d/f && chmod 0 /srv/d && ls /etc"
		args := []string{"run", "--image", img, w.id, "sh", "-c", script}
		if !w.one {
			script = "mkdir -m 700 /srv/d && touch /srv/d/f && chmod 0 /srv/d && ls /etc"
			args = []string{"run", "--image", img, "-u", "1000:1001", w.id, "sh", "-c", script}
		}
		out := w.ok(args...)
		if !strings.Contains(out, "passwd") || w.one && strings.Contains(out, "group") {
			w.Errorf("%q", out)
		}
		w.is(w.ok("run", "--image", img, w.id, "sh", "-c", "ls /srv; test -e /etc/group && echo group"), "group")
		w.ok("run", "--image", img, "--read-only", w.id, "sh", "-c", "! touch /srv/x 2>/dev/null")
	})
}

// Deletions of a layer hide what is below.
func TestWhiteouts(t *testing.T) {
	everybody(t, func(w *world) {
		img := w.layout(`{"Cmd": ["sh", "-c", "cd /d && echo * && echo o/* && test ! -e /f"]}`,
			[]file{{name: "f", text: "x"}, {name: "d/"}, {name: "d/a", text: "a"}, {name: "d/b", text: "b"}, {name: "d/o/"}, {name: "d/o/low", text: "low"}},
			[]file{{name: ".wh.f"}, {name: "d/.wh.a"}, {name: "d/c", text: "c"}, {name: "d/o/"}, {name: "d/o/.wh..wh..opq"}, {name: "d/o/high", text: "high"}},
		)
		w.is(w.ok("run", "--image", img, w.id), "b c o\no/high")
		bundle := w.dir + "/home/bundle"
		w.ok("unpack", img, bundle)
		w.is(w.ok("run", "--bundle", bundle, w.id), "b c o\no/high")
		w.ok("discard", bundle)
	})
}

// As many layers as do not fit into the options of mount(2).
func TestManyLayers(t *testing.T) {
	everybody(t, func(w *world) {
		var layers [][]file
		for i := range 220 {
			layers = append(layers, []file{{name: fmt.Sprintf("srv/%03d", i), text: "x"}, {name: "srv/last", text: fmt.Sprint(i)}})
		}
		img := w.layout(`{"Cmd": ["sh", "-c", "cat /srv/last; ls /srv | wc -l"]}`, append(layers, []file{{name: "bin/wc", text: "-> busybox"}})...)
		w.is(w.ok("run", "--image", img, w.id), "219221")
	})
}

func TestSteps(t *testing.T) {
	everybody(t, func(w *world) {
		img := w.layout(`{"Cmd": ["sh", "-c", "echo started > /tmp/x; sleep 100"]}`)
		w.ok("create", "--image", img, w.id)
		defer w.berth("delete", "--force", w.id)
		// Without its name the image stays as long as the container does.
		w.ok("rmi", "--force", name)
		w.berth("prune", "--force")
		w.ok("start", w.id)
		w.is(w.ok("exec", w.id, "sh", "-c", "until test -s /tmp/x; do sleep 0.1; done; cat /tmp/x"), "started")
		if len(w.left()) != 1 {
			w.Errorf("containers: %s", w.left())
		}
		w.fails("already exists", "run", "--image", img, w.id)
		if len(w.left()) != 1 {
			w.Errorf("containers: %s", w.left())
		}
		w.ok("delete", "--force", w.id)
	})
}

// Several containers of an image that none has yet: one pulls, the others wait.
func TestSideBySide(t *testing.T) {
	everybody(t, func(w *world) {
		img := w.layout(`{"Cmd": ["echo", "x"]}`)
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				cmd := w.command("run", "--image", img, fmt.Sprint(w.id, "-", i))
				if out, err := cmd.CombinedOutput(); err != nil || string(out) != "x\n" {
					w.Errorf("%s %v", out, err)
				}
			})
		}
		all.Wait()
		w.ok("verify")
	})
}

func TestErrors(t *testing.T) {
	everybody(t, func(w *world) {
		img := w.layout(`{"Cmd": ["sh"]}`)
		w.fails("--env needs --image", "run", "-e", "A=1", w.id)
		w.fails("exclude each other", "run", "--image", img, "--bundle", ".", w.id)
		w.fails("CONTAINER is missing", "run", "--image", img)
		w.fails("container id", "run", "--image", img, "../x")
		w.fails("not in the store", "run", "--image", name, "--pull", "never", w.id)
		w.fails("not always, missing or never", "run", "--image", img, "--pull", "now", w.id)
		w.fails("no such file or directory", "run", "--image", "oci:"+w.dir+"/none", w.id)
		w.fails(`no user "nope"`, "run", "--image", img, "-u", "nope", w.id)
		w.fails("no such file or directory", "run", "--image", img, w.id, "/no/such/command")
		w.fails(`"nope" is no capability`, "run", "--image", img, "--cap-add", "nope", w.id)
		w.fails("is not host or none", "run", "--image", img, "--net", "x", w.id)
		w.fails("--memory", "run", "--image", img, "--memory", "x", w.id)
		w.is(w.ok("list", "-q"), "")
	})
}
