package image

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// load loads the tests' image from a layout.
func (w *world) load(layers ...[]file) {
	w.Helper()
	img := w.layout(`{"Cmd": ["sh", "-c", "echo hello"]}`, layers...)
	w.is(w.ok("load", strings.TrimPrefix(img, "oci:")), "loaded "+name)
}

// row is a line of `images --format json`.
type row struct {
	Name, Digest, ID, Platform string
	Size                       int64
	Unpacked                   *int64
	Layers                     int
}

func (w *world) rows(args ...string) []row {
	w.Helper()
	var rows []row
	out := w.ok(append(args, "images", "--format", "json")...)
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		w.Fatalf("%v: %s", err, out)
	}
	return rows
}

func TestNames(t *testing.T) {
	everybody(t, func(w *world) {
		w.is(w.ok("images"), "NAME   TAG   ID   PLATFORM   CREATED   SIZE   UNPACKED")
		w.is(w.ok("images", "--format", "json"), "[]")
		w.load()
		rows := w.rows()
		if len(rows) != 1 || rows[0].Name != name || rows[0].Platform != "linux/"+architecture() || rows[0].Layers != 1 || rows[0].Unpacked == nil || *rows[0].Unpacked <= rows[0].Size/2 {
			w.Fatalf("%+v", rows)
		}
		id := strings.TrimPrefix(rows[0].ID, "sha256:")[:12]
		w.is(w.ok("images", "-q"), id)
		w.is(w.ok("images", "-q", "--no-trunc"), rows[0].ID)
		w.ok("tag", id, "busybox:1.36", "registry.example/tools/app")
		w.is(w.ok("images", "-q", "busybox"), id)
		w.is(w.ok("images", "-q", "registry.example/*/app"), id)
		w.is(w.ok("images", "-q", "nothing*"), "")
		if table := w.ok("images", "--digests"); !strings.Contains(table, rows[0].Digest) || strings.Count(table, "\n") != 4 {
			w.Errorf("%s", table)
		}
		w.fails("image busybox:latest: not in the store", "inspect", "busybox")
		w.fails("image busibox:1.36: not in the store", "history", "busibox:1.36")
		if r := w.berth("rmi", "busibox:1.36"); !strings.Contains(r.errors, "hint: did you mean busybox:1.36?") {
			w.Errorf("%+v", r)
		}
		w.fails("a name for an image has no digest", "tag", id, "x@"+rows[0].Digest)
		w.fails("lower case", "tag", id, "Upper")
		w.fails("IMAGE is missing", "rmi")

		w.is(w.ok("rmi", "busybox:1.36"), "untagged busybox:1.36")
		if out := w.ok("rmi", id); !strings.Contains(out, "untagged "+name+"\n") || !strings.Contains(out, "untagged registry.example/tools/app:latest\n") || !strings.Contains(out, "deleted "+rows[0].Digest) {
			w.Errorf("%s", out)
		}
		w.is(w.ok("images", "--format", "json"), "[]")
		w.is(w.ok("prune"), "nothing to remove")
		w.ok("rmi", "--force", id)
	})
}

func TestInspect(t *testing.T) {
	everybody(t, func(w *world) {
		w.load([]file{{name: "f", text: "x"}})
		rows := w.rows()
		var all []struct {
			Names    []string
			ID       string
			Manifest struct{ Layers []any }
			Config   struct{ Config struct{ Cmd []string } }
			Layers   []struct{ Path string }
		}
		if err := json.Unmarshal([]byte(w.ok("inspect", name, rows[0].Digest)), &all); err != nil {
			w.Fatal(err)
		}
		if len(all) != 2 || all[0].Names[0] != name || all[1].ID != rows[0].ID || len(all[0].Manifest.Layers) != 2 || all[0].Config.Config.Cmd[0] != "sh" {
			w.Errorf("%+v", all)
		}
		for _, l := range all[0].Layers {
			if _, err := os.Stat(l.Path); err != nil {
				w.Error(err)
			}
		}
		raw := w.ok("inspect", "--raw", "config", name)
		if !json.Valid([]byte(raw)) || !strings.HasPrefix(raw, `{"os": "linux"`) {
			w.Errorf("%s", raw)
		}
		w.fails("not index, manifest or config", "inspect", "--raw", "layers", name)
		w.fails("it is for linux/"+architecture()+", not linux/s390x", "inspect", "--platform", "linux/s390x", name)
		w.fails("it is for linux/"+architecture()+", not linux/s390x", "run", "--image", name, "--platform", "linux/s390x", w.id)
		if r := w.berth("inspect", "nothing:1", name); r.code == 0 || !strings.Contains(r.errors, "image nothing:1: not in the store") || !strings.Contains(r.out, rows[0].ID) {
			w.Errorf("%+v", r)
		}
		if table := w.ok("history", name); strings.Count(table, "\n") != 3 || !strings.HasPrefix(table, "CREATED ") {
			w.Errorf("%s", table)
		}
		var steps []struct{ Size int64 }
		if err := json.Unmarshal([]byte(w.ok("history", "--format", "json", name)), &steps); err != nil || len(steps) != 2 || steps[1].Size < 1000 {
			w.Errorf("%v %v", steps, err)
		}
	})
}

// Saved and loaded into another store, an image is the same.
func TestSaveLoad(t *testing.T) {
	everybody(t, func(w *world) {
		w.load([]file{{name: "d/"}, {name: "d/a", text: "a"}, {name: "gone", text: "x"}}, []file{{name: ".wh.gone"}, {name: "d/b", text: "b"}})
		w.ok("tag", name, "busybox:1.36")
		want := w.rows()
		w.ok("export", "--image", "-o", "want.tar", name)
		for _, format := range []string{"docker", "oci", "oci-dir"} {
			other := []string{"--store", w.dir + "/home/other-" + format}
			w.ok("save", "--format", format, "-o", "saved-"+format, name, "busybox:1.36")
			w.ok(append(other, "load", "saved-"+format)...)
			if got := w.rows(other...); !sameRows(got, want) {
				w.Errorf("%s: %+v, want %+v", format, got, want)
			}
			w.ok(append(other, "export", "--image", "-o", "got.tar", "busybox:1.36")...)
			equal(w.T, format, treeOf(w.T, w.dir+"/home/got.tar"), treeOf(w.T, w.dir+"/home/want.tar"))
			if out := w.ok(append(other, "verify")...); !strings.Contains(out, "the store is sound") {
				w.Errorf("%s", out)
			}
			w.ok("discard", other[1])
		}
		// Through pipes.
		var saved bytes.Buffer
		save := w.command("save", name)
		save.Stdout = &saved
		if err := save.Run(); err != nil {
			w.Fatal(err)
		}
		load := w.command("--store", w.dir+"/home/piped", "load", "-q")
		load.Stdin = &saved
		out, err := load.CombinedOutput()
		if err != nil {
			w.Fatal(err, string(out))
		}
		w.is(string(out), name)
		w.ok("discard", w.dir+"/home/piped")
		if _, ok := treeOf(w.T, w.dir+"/home/want.tar")["gone"]; ok {
			w.Error("what a layer deletes is exported")
		}
	})
}

// sameRows compares what is an image's own.
func sameRows(got, want []row) bool {
	return slices.EqualFunc(got, want, func(a, b row) bool {
		return a.Name == b.Name && a.Digest == b.Digest && a.ID == b.ID && a.Size == b.Size
	})
}

// What is imported and exported again is the same tree.
func TestImportExport(t *testing.T) {
	everybody(t, func(w *world) {
		rootfs := w.rootfs()
		want := treeOf(w.T, rootfs)
		digest := strings.TrimSpace(w.ok("import", "--change", `CMD ["sh","-c","echo $A"]`, "--change", "ENV A=imported", "-m", "by hand", rootfs, "root:1"))
		w.ok("export", "--image", "-o", "out.tar", "root:1")
		equal(w.T, "image", treeOf(w.T, w.dir+"/home/out.tar"), want)
		id := w.container()
		w.is(w.ok("run", "--image", "root:1", id), "imported")
		if table := w.ok("history", "root:1"); !strings.Contains(table, "by hand") {
			w.Errorf("%s", table)
		}
		if rows := w.rows(); len(rows) != 1 || rows[0].Digest != digest {
			w.Errorf("%+v, want %s", rows, digest)
		}
		// A container, with what it has changed.
		w.create("--image", "root:1", id)
		w.ok("export", "-o", "c2.tar", id)
		made := []string{"dev", "proc", "sys", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc"}
		equal(w.T, "container", treeOf(w.T, w.dir+"/home/c2.tar"), want, made...)
		w.ok("delete", "--force", id)
		w.fails("neither a container nor an image", "export", id)
		// A bundle's.
		w.ok("unpack", "root:1", w.dir+"/home/bundle")
		w.create("--bundle", w.dir+"/home/bundle", id)
		w.ok("export", "-o", "c3.tar", id)
		equal(w.T, "bundle", treeOf(w.T, w.dir+"/home/c3.tar"), want, made...)
		w.ok("delete", "--force", id)
		w.ok("discard", w.dir+"/home/bundle")

		w.fails("it is a directory", "import", w.dir, "bad:1")
		for in, says := range map[string]string{"empty": "it is empty", "text": "it is no tar archive", "none": "no such file"} {
			if in != "none" {
				if err := os.WriteFile(w.dir+"/"+in, []byte(strings.Repeat("no tar ", len(in)%5*1000)), 0o644); err != nil {
					w.Fatal(err)
				}
			}
			if in == "empty" {
				if err := os.Truncate(w.dir+"/empty", 0); err != nil {
					w.Fatal(err)
				}
			}
			w.fails(says, "import", w.dir+"/"+in, "bad:1")
		}
		w.fails("it is none of CMD", "import", "--change", "RUN x", rootfs)
		if rows := w.rows(); len(rows) != 1 {
			w.Errorf("%+v", rows)
		}
	})
}

// What a container uses stays, whatever is removed.
func TestPrune(t *testing.T) {
	everybody(t, func(w *world) {
		w.load()
		w.ok("import", w.rootfs(), "other:1")
		id := w.container()
		w.create("--image", name, id)
		w.fails("container "+id+" uses it", "rmi", name)
		if out := w.ok("prune", "--all", "--dry-run"); !strings.Contains(out, "would remove") || len(w.rows()) != 2 {
			w.Errorf("%s", out)
		}
		if out := w.ok("prune", "--all"); !strings.Contains(out, "untagged docker.io/library/other:1") || len(w.rows()) != 1 {
			w.Errorf("%s", out)
		}
		w.ok("rmi", "--force", name)
		w.ok("prune")
		w.ok("verify", "-q")
		w.ok("start", id)
		w.ok("delete", "--force", id)
		var report struct {
			Blobs, Layers []string
			Freed         int64
		}
		if err := json.Unmarshal([]byte(w.ok("prune", "--format", "json")), &report); err != nil || len(report.Blobs) != 3 || len(report.Layers) != 1 || report.Freed < 1000 {
			w.Errorf("%+v %v", report, err)
		}
		w.is(w.ok("prune"), "nothing to remove")
	})
}

// A container whose runtime knows nothing of it any more, after a restart of the
// machine, say, is cleaned away; one that was just made is not.
func TestPruneGoneContainers(t *testing.T) {
	everybody(t, func(w *world) {
		w.load()
		id := w.container()
		w.create("--image", name, id)
		dirs := w.left()
		if len(dirs) != 1 {
			w.Fatal(dirs)
		}
		dir := filepath.Join(w.dir, "home/store/containers", dirs[0])
		age := func() {
			use := map[string]any{}
			raw, err := os.ReadFile(dir + "/use.json")
			if err == nil {
				err = json.Unmarshal(raw, &use)
			}
			if err != nil {
				w.Fatal(err)
			}
			use["created"] = time.Now().Add(-time.Hour)
			if err := os.WriteFile(dir+"/use.json", encode(w, use), 0o600); err != nil {
				w.Fatal(err)
			}
		}
		age()
		w.ok("prune")
		if _, err := os.Stat(dir); err != nil {
			w.Fatalf("a container that is there: %v", err)
		}
		// The state goes, as /run does, but the store stays.
		kept := w.dir + "/kept"
		if err := os.Rename(dir, kept); err != nil {
			w.Fatal(err)
		}
		w.ok("delete", "--force", id)
		if err := os.Rename(kept, dir); err != nil {
			w.Fatal(err)
		}
		w.is(w.ok("prune"), "removed what container "+dirs[0]+" left\nnothing to remove")
	})
}

func TestQuota(t *testing.T) {
	everybody(t, func(w *world) {
		dir := strings.TrimPrefix(w.layout(`{}`), "oci:")
		for quota, says := range map[string]string{"10k": "the quota of the store leaves", "lots": "BERTH_STORE_QUOTA"} {
			load := w.command("load", dir)
			load.Env = append(load.Env, "BERTH_STORE_QUOTA="+quota)
			if out, err := load.CombinedOutput(); err == nil || !strings.Contains(string(out), says) {
				w.Errorf("%s: %v %s", quota, err, out)
			}
		}
		w.is(w.ok("images", "--format", "json"), "[]")
		w.ok("verify", "-q")
		w.ok("load", dir)
	})
}

func TestVerify(t *testing.T) {
	everybody(t, func(w *world) {
		w.load()
		layout := w.ok("save", "--format", "oci-dir", "-o", "layout", name)
		w.is(layout, "")
		rows := w.rows()
		blob := w.dir + "/home/store/blobs/sha256/" + strings.TrimPrefix(rows[0].ID, "sha256:")
		raw, err := os.ReadFile(blob)
		if err != nil {
			w.Fatal(err)
		}
		raw[len(raw)-1] = ' '
		if err := os.Chmod(blob, 0o644); err != nil {
			w.Fatal(err)
		}
		if err := os.WriteFile(blob, raw, 0o644); err != nil {
			w.Fatal(err)
		}
		r := w.berth("verify")
		if r.code == 0 || !strings.Contains(r.out, "its content has the digest") || !strings.Contains(r.out, name+": its configuration") {
			w.Errorf("%+v", r)
		}
		w.fails("damaged", "save", "-o", "x.tar", name)
		if r := w.berth("verify", "--repair"); r.code == 0 || !strings.Contains(r.errors, "1 fault repaired, 1 left") {
			w.Errorf("%+v", r)
		}
		w.ok("load", "layout")
		w.ok("verify", "-q")
		if got := w.rows(); !sameRows(got, rows) {
			w.Errorf("%+v, want %+v", got, rows)
		}
	})
}
