package image

import (
	"os/exec"
	"strings"
	"testing"
)

// Podman, skopeo and berth hand an image around; in the end it is the same tree.
func TestRoundTripWithPeers(t *testing.T) {
	everybody(t, func(w *world) {
		if w.uid != 0 {
			w.Skip("the peers are tried as root only")
		}
		for _, peer := range []string{"podman", "skopeo"} {
			if _, err := exec.LookPath(peer); err != nil {
				w.Skip(peer, "is not installed")
			}
		}
		peer := func(args ...string) string {
			w.Helper()
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir = w.dir + "/home"
			out, err := cmd.CombinedOutput()
			if err != nil {
				w.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
			}
			return string(out)
		}
		podman := func(args ...string) string {
			w.Helper()
			return peer(append([]string{"podman", "--root", w.dir + "/podman", "--runroot", w.dir + "/podman-run", "--storage-driver", "vfs"}, args...)...)
		}
		defer podman("system", "reset", "--force")
		rootfs := w.rootfs()
		want := treeOf(w.T, rootfs)
		w.ok("import", "--change", "CMD sh", rootfs, "root:1")
		id := strings.TrimPrefix(w.rows()[0].ID, "sha256:")

		for _, format := range []string{"docker", "oci"} {
			w.ok("save", "--format", format, "-o", format+".tar", "root:1")
			podman("load", "-i", format+".tar")
			if got := podman("images", "--no-trunc", "-q", "root:1"); !strings.Contains(got, id) {
				w.Errorf("%s: podman has %s, want %s", format, got, id)
			}
			podman("create", "--name", "c-"+format, "root:1")
			podman("export", "-o", "podman-"+format+".tar", "c-"+format)
			// What a container engine puts into every container.
			made := []string{"dev", "proc", "sys", "run", "etc", "etc/mtab", "etc/hostname", "etc/hosts", "etc/resolv.conf", "run/.containerenv", "run/secrets", "dev/console", "dev/shm", "dev/pts"}
			equal(w.T, "podman of "+format, treeOf(w.T, w.dir+"/home/podman-"+format+".tar"), want, made...)
			podman("rm", "c-"+format)
		}
		for _, format := range []string{"docker-archive", "oci-archive", "oci-dir", "docker-dir"} {
			saved := "podman-saved-" + format
			podman("save", "--format", format, "-o", saved, "root:1")
			w.back(saved, want)
		}
		peer("skopeo", "copy", "docker-archive:docker.tar", "oci:skopeo:1")
		w.back("skopeo", want)
		peer("skopeo", "copy", "--dest-compress", "--dest-compress-format", "zstd", "oci-archive:oci.tar", "oci:skopeo-zstd:1")
		w.back("skopeo-zstd", want)
		w.saved("skopeo-zstd", "tar+zstd")
		peer("skopeo", "copy", "oci-archive:oci.tar", "docker-archive:skopeo.tar:root:1")
		w.back("skopeo.tar", want)
		peer("skopeo", "copy", "oci-archive:oci.tar", "dir:skopeo-dir")
		w.back("skopeo-dir", want)
	})
}

// back loads what a peer has written into a fresh store.
func (w *world) back(saved string, want tree) {
	w.Helper()
	other := []string{"--store", w.dir + "/home/back-" + saved}
	w.ok(append(other, "load", "--name", "back:1", saved)...)
	w.ok(append(other, "export", "--image", "-o", "back.tar", "back:1")...)
	equal(w.T, saved, treeOf(w.T, w.dir+"/home/back.tar"), want)
	w.ok(append(other, "verify", "-q")...)
}

// saved looks for a media type in the manifest of what was loaded by back, and sends
// the image on to the peer again.
func (w *world) saved(from, mediaType string) {
	w.Helper()
	other := []string{"--store", w.dir + "/home/back-" + from}
	if m := w.ok(append(other, "inspect", "--raw", "manifest", "back:1")...); !strings.Contains(m, mediaType) {
		w.Errorf("%s: no layer is a %s:\n%s", from, mediaType, m)
	}
	w.ok(append(other, "save", "--format", "oci", "-o", from+".tar", "back:1")...)
	cmd := exec.Command("skopeo", "copy", "oci-archive:"+from+".tar", "dir:"+from+"-dir")
	cmd.Dir = w.dir + "/home"
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Errorf("skopeo does not take %s as berth has saved it: %v\n%s", from, err, out)
	}
}
