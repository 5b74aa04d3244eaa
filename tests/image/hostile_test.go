package image

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// An image that asks for what is not its own gets none of it.
func TestHostileConfig(t *testing.T) {
	everybody(t, func(w *world) {
		host := filepath.Join(w.dir, "of-the-host")
		up := strings.Repeat("../", 20)
		img := w.layout(`{"Cmd": ["sh", "-c", "env; pwd; ls -d /data"], "Env": ["BERTH_TEST_SECRET", "BERTH*", "=x", "A=1"],
			"WorkingDir": "/lnk/cwd", "Volumes": {"/data": {}, "/lnk/volume": {}, "/../../etc": {}},
			"Labels": {"run.oci.handler": "krun", "run.oci.hooks.stdout": "`+host+`", "org.systemd.property.X": "1"}}`,
			[]file{{name: "lnk", text: "-> " + up + host}})
		r := w.berth("run", "--image", img, w.id)
		if r.code != 0 || strings.Contains(r.out, "SECRET") || !strings.Contains(r.out, "A=1") || !strings.Contains(r.out, "/data") {
			w.Errorf("%+v", r)
		}
		bundle := filepath.Join(w.dir, "home/bundle")
		if r := w.berth("unpack", img, bundle); r.code != 0 {
			w.Fatalf("%+v", r)
		}
		if r := w.berth("run", "--bundle", bundle, w.id); r.code != 0 {
			w.Errorf("%+v", r)
		}
		if _, err := os.Lstat(host); err == nil {
			w.Error("the image made a directory of the host")
		}
		for key := range readSpec(w, bundle).Annotations {
			if !strings.HasPrefix(key, "berth.image.label.") && !strings.HasPrefix(key, "org.opencontainers.image.") {
				w.Errorf("annotation %s", key)
			}
		}
		w.ok("discard", bundle)
	})
}

// The image's setuid programs are real ones, and so are its devices: no other user of
// the host reaches them through the bundle (containerd CVE-2021-41103), or the store.
func TestBundleIsPrivate(t *testing.T) {
	everybody(t, func(w *world) {
		img := w.layout(`{"Cmd": ["sh"]}`, []file{{name: "su", text: "x", mode: 0o4755}})
		bundle := filepath.Join(w.dir, "home/bundle")
		w.ok("unpack", img, bundle)
		w.ok("run", "--image", img, w.id, "--", "sh", "-c", ":")
		for _, dir := range []string{bundle, w.dir + "/home/store/layers", w.dir + "/home/store/containers", w.dir + "/home/store/tmp", w.dir + "/home/store/blobs"} {
			st, err := os.Stat(dir)
			if err != nil {
				w.Fatal(err)
			}
			if st.Mode().Perm()&0o077 != 0 {
				w.Errorf("%s has the mode %o", dir, st.Mode().Perm())
			}
		}
		if st, err := os.Stat(bundle + "/rootfs/su"); err != nil || st.Mode()&os.ModeSetuid == 0 {
			w.Errorf("su: %v, %v", st, err)
		}
		w.ok("discard", bundle)
	})
}

// Root does not unpack into another user's directory, who could exchange rootfs for a
// link to anywhere meanwhile.
func TestUnpackIntoAnothersDirectory(t *testing.T) {
	everybody(t, func(w *world) {
		if w.uid != 0 {
			w.Skip("a user cannot write to the directories of others")
		}
		dir := filepath.Join(w.dir, "home/theirs")
		if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, 4711, 4711)); err != nil {
			w.Fatal(err)
		}
		w.fails("belongs to user 4711", "unpack", w.layout(`{"Cmd": ["sh"]}`), dir)
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			w.Errorf("%v, %v", left, err)
		}
	})
}

func readSpec(w *world, bundle string) *specs.Spec {
	w.Helper()
	raw, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err != nil {
		w.Fatal(err)
	}
	s := &specs.Spec{}
	if err := json.Unmarshal(raw, s); err != nil {
		w.Fatal(err)
	}
	return s
}

// Ids that wrap are refused, though passwd has a line for one.
func TestUserOverflow(t *testing.T) {
	everybody(t, func(w *world) {
		for _, user := range []string{"4294967296", "99999999999", "2147483648:0", " 0"} {
			img := w.layout(`{"Cmd": ["id"], "User": "` + user + `"}`)
			w.fails("user \""+user, "run", "--image", img, w.id)
			w.fails("user \""+user, "unpack", img, w.dir+"/home/bundle")
			if _, err := os.Lstat(w.dir + "/home/bundle"); err == nil {
				w.Errorf("user %s: unpack leaves the bundle", user)
			}
		}
	})
}

// A layout whose blob is a link to a file of the host, and one whose layer is another.
func TestHostileLayout(t *testing.T) {
	everybody(t, func(w *world) {
		img := w.layout(`{"Cmd": ["sh"]}`)
		dir := strings.TrimPrefix(img, "oci:")
		blobs, err := filepath.Glob(dir + "/blobs/sha256/*")
		if err != nil {
			w.Fatal(err)
		}
		for _, blob := range blobs {
			raw, err := os.ReadFile(blob)
			if err != nil {
				w.Fatal(err)
			}
			for what, spoil := range map[string]func() error{
				"link":  func() error { return os.Symlink("/etc/passwd", blob) },
				"other": func() error { return os.WriteFile(blob, append(raw[:len(raw)-1:len(raw)-1], raw[len(raw)-1]^1), 0o644) },
			} {
				if err := os.Remove(blob); err != nil {
					w.Fatal(err)
				}
				if err := spoil(); err != nil {
					w.Fatal(err)
				}
				if r := w.berth("run", "--image", img, w.id, "true"); r.code == 0 || r.out != "" {
					w.Errorf("%s is a %s: %+v", blob, what, r)
				}
			}
			if err := os.Remove(blob); err != nil {
				w.Fatal(err)
			}
			if err := os.WriteFile(blob, raw, 0o644); err != nil {
				w.Fatal(err)
			}
		}
		w.ok("run", "--image", img, w.id, "test", "-e", "/etc")
		w.ok("verify")
	})
}

// A bundle is for any runtime.
func TestPeersRunBundle(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	everybody(t, func(w *world) {
		if w.uid != 0 {
			w.Skip("peers without systemd want root")
		}
		img := w.layout(`{"Cmd": ["sh", "-c", "echo $A $(id -u) $(pwd)"], "Env": ["A=1"], "WorkingDir": "/new/dir", "Volumes": {"/v": {}}}`)
		bundle := w.dir + "/home/bundle"
		w.ok("unpack", img, bundle, "--net", "none")
		for _, peer := range []string{"runc", "crun"} {
			path, err := exec.LookPath(peer)
			if err != nil {
				w.Log("needs", peer)
				continue
			}
			cmd := exec.Command(path, "--root", w.dir+"/"+peer, "run", "--bundle", bundle, "berth-image-"+peer)
			out, err := cmd.CombinedOutput()
			if strings.Contains(string(out), "cgroups in hybrid mode not supported") {
				w.Logf("%s does not know this host's cgroups", peer)
				continue
			}
			if err != nil || string(out) != "1 0 /new/dir\n" {
				w.Errorf("%s: %s %v", peer, out, err)
			}
		}
	})
}
