package image

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A disk that is too small, or runs full in the middle, leaves a sound store, and the
// same call goes through once there is room.
func TestFullDisk(t *testing.T) {
	everybody(t, func(w *world) {
		if w.uid != 0 {
			w.Skip("needs root: mounts a small file system")
		}
		noise := make([]byte, 6<<20)
		_, _ = rand.Read(noise) // it never fails
		var rootfs bytes.Buffer
		archive := tar.NewWriter(&rootfs)
		err := errors.Join(archive.WriteHeader(&tar.Header{Name: "noise", Mode: 0o644, Size: int64(len(noise))}), write(archive, noise), archive.Close(),
			os.WriteFile(w.dir+"/home/rootfs.tar", rootfs.Bytes(), 0o644))
		if err != nil {
			w.Fatal(err)
		}
		w.ok("import", "rootfs.tar", "full:1")
		w.ok("save", "-o", "full.tar", "full:1")
		cmd := exec.Command("unshare", "-m", "sh", "-c", `
			mkdir small && mount -t tmpfs -o size=4m,mode=700 none small || exit 77
			berth() { "$BERTH" --store small "$@"; }
			berth load -q full.tar && exit 1
			berth verify -q || exit 2
			mount -o remount,size=10m small || exit 77
			berth load -q full.tar && exit 3
			berth verify -q || exit 4
			berth rmi full:1 && exit 5
			mount -o remount,size=40m small || exit 77
			berth load -q full.tar || exit 6
			berth verify -q || exit 7
			exit 0`)
		cmd.Dir = w.dir + "/home"
		cmd.Env = append(os.Environ(), "BERTH="+runtimePath(w.T))
		text, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() == 77 {
			w.Skipf("no small file system: %s", text)
		}
		for _, want := range []string{
			" bytes are needed, the file system has ", "berth: load full:1: ", ": no space left on device\nhint: 'berth prune'",
			"image full:1: not in the store",
		} {
			if !strings.Contains(string(text), want) {
				w.Errorf("missing: %s", want)
			}
		}
		if err != nil || w.Failed() {
			w.Errorf("%v\n%s", err, text)
		}
	})
}

func write(to io.Writer, content []byte) error {
	_, err := to.Write(content)
	return err
}
