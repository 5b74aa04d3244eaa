package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"berth/image"
	"berth/internal/idmap"
	"berth/specconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// config is an image's, from the JSON of its "config".
func config(t *testing.T, text string) *image.Config {
	t.Helper()
	img, err := image.ParseConfig([]byte(`{"os": "linux", "architecture": "amd64", "config": ` + text + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// tree makes files from a table of name to content; "-> x" is a link, "/" a
// directory, "!" a deletion.
func tree(t *testing.T, layers ...map[string]string) Tree {
	t.Helper()
	var list Tree
	for _, files := range layers {
		dir := t.TempDir()
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			var err error
			switch target, link := strings.CutPrefix(text, "-> "); {
			case link:
				err = os.Symlink(target, path)
			case text == "/":
				err = os.MkdirAll(path, 0o755)
			case text == "!":
				err = unix.Mknod(path, unix.S_IFCHR, 0)
			case text == "opaque":
				if err = os.MkdirAll(path, 0o755); err == nil {
					err = unix.Setxattr(path, "user.overlay.opaque", []byte("y"), 0)
				}
			default:
				err = os.WriteFile(path, []byte(text), 0o644)
			}
			if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) {
				t.Skip("the kernel does not let this user write overlayfs's marks:", err)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		list = append(list, f)
	}
	return list
}

const (
	passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/srv:/bin/sh\n4294967296:x:7:7::/:\n99999999999:x:0:0::/:\n2147483648:x:0:0::/:\nhuge:x:3000000000:5::/:\n"
	group  = "root:x:0:\nweb:x:1001:\naudio:x:29:web\nwheel:x:10:root,web\n"
)

func TestUser(t *testing.T) {
	files := tree(t, map[string]string{"etc/passwd": passwd, "etc/group": group})
	for text, want := range map[string]string{
		"":           "0 0 [0 10]",
		"0":          "0 0 [0 10]",
		"root":       "0 0 [0 10]",
		"web":        "1000 1001 [1001 29 10]",
		"1000":       "1000 1001 [1001 29 10]",
		"web:audio":  "1000 29 [29]",
		"1000:5":     "1000 5 [5]",
		"5:web":      "5 1001 [1001]",
		"5":          "5 0 [0]",
		"2147483647": "2147483647 0 [0]",
		// Numbers are never names, whatever passwd has (CVE-2016-3697), and do not wrap.
		"4294967296":   "error",
		"99999999999":  "error",
		"2147483648":   "error",
		"2147483648:0": "error",
		"0:4294967295": "error",
		"huge":         "error",
		"-1":           "error",
		"web:":         "error",
		":0":           "error",
		"none":         "error",
		"web:none":     "error",
		"web\n":        "error",
	} {
		img := config(t, fmt.Sprintf(`{"Cmd": ["sh"], "User": %q}`, text))
		got := "error"
		if s, err := Spec(img, Options{Files: files}); err == nil {
			u := s.Process.User
			got = fmt.Sprint(u.UID, u.GID, u.AdditionalGids)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// A file that does not end is an error, not memory (CVE-2026-47262).
func TestHugeGroup(t *testing.T) {
	files := tree(t, map[string]string{"etc/passwd": passwd, "etc/group": ""})
	if err := os.Truncate(files[0].Name()+"/etc/group", 2<<30); err != nil {
		t.Fatal(err)
	}
	_, err := Spec(config(t, `{"Cmd": ["sh"], "User": "web"}`), Options{Files: files})
	if err == nil || !strings.Contains(err.Error(), "/etc/group is larger than 1 MiB") {
		t.Error(err)
	}
	// A device is not even opened: that of 60:1 has no driver, so ENXIO would tell.
	for _, kind := range []uint32{unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFCHR, unix.S_IFBLK} {
		files := tree(t, map[string]string{"etc": "/"})
		err := unix.Mknod(files[0].Name()+"/etc/passwd", kind|0o644, int(unix.Mkdev(60, 1)))
		if errors.Is(err, unix.EPERM) {
			t.Logf("%#o: devices cannot be made here", kind)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = Spec(config(t, `{"Cmd": ["sh"], "User": "web"}`), Options{Files: files})
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%#o: %v", kind, err)
		}
	}
}

func TestEnv(t *testing.T) {
	t.Setenv("BERTH_SECRET", "host")
	img := config(t, `{"Cmd": ["sh"], "Env": ["BERTH_SECRET", "BERTH*", "=x", "A=1", "B=2", "A=3", "C=", "D=a=b", "N=\u0000"]}`)
	var notes []string
	s, err := Spec(img, Options{Env: []string{"B=9", "E=5"}, Note: func(n string) { notes = append(notes, n) }})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"A=3", "B=9", "C=", "D=a=b", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "E=5"}
	if !reflect.DeepEqual(s.Process.Env, want) {
		t.Errorf("%q", s.Process.Env)
	}
	if len(notes) != 4 {
		t.Errorf("%q", notes)
	}
	if _, err := Spec(img, Options{Env: []string{"BERTH_SECRET"}}); err == nil {
		t.Error("a wish without = was taken")
	}
}

func TestCommand(t *testing.T) {
	for _, c := range []struct {
		config string
		o      Options
		want   string
	}{
		{`{"Entrypoint": ["a"], "Cmd": ["b", "c"]}`, Options{}, "[a b c]"},
		{`{"Entrypoint": ["a"], "Cmd": ["b"]}`, Options{Args: []string{"x", "y"}}, "[a x y]"},
		{`{"Entrypoint": ["a"], "Cmd": ["b"]}`, Options{Entrypoint: []string{"e"}}, "[e]"},
		{`{"Entrypoint": ["a"], "Cmd": ["b"]}`, Options{Entrypoint: []string{""}, Args: []string{"x"}}, "[x]"},
		{`{"Cmd": ["b"]}`, Options{}, "[b]"},
		{`{}`, Options{}, "error"},
		{`{"Cmd": [""]}`, Options{}, "error"},
		{`{"Cmd": ["a\u0000b"]}`, Options{}, "error"},
	} {
		got := "error"
		if s, err := Spec(config(t, c.config), c.o); err == nil {
			got = fmt.Sprint(s.Process.Args)
		}
		if got != c.want {
			t.Errorf("%s %+v: %s, want %s", c.config, c.o, got, c.want)
		}
	}
}

// Whatever an image says about itself, no runtime listens.
func TestAnnotations(t *testing.T) {
	img := config(t, `{"Cmd": ["sh"], "StopSignal": "SIGQUIT", "ExposedPorts": {"80/tcp": {}, "443": {}},
		"Labels": {"run.oci.handler": "krun", "io.katacontainers.config.hypervisor.path": "/bin/evil", "org.opencontainers.image.os": "x", "": "e"}}`)
	s, err := Spec(img, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"org.opencontainers.image.os":                            "linux",
		"org.opencontainers.image.architecture":                  "amd64",
		"org.opencontainers.image.stopSignal":                    "SIGQUIT",
		"org.opencontainers.image.exposedPorts":                  "443,80/tcp",
		LabelPrefix + "run.oci.handler":                          "krun",
		LabelPrefix + "io.katacontainers.config.hypervisor.path": "/bin/evil",
		LabelPrefix + "org.opencontainers.image.os":              "x",
		LabelPrefix: "e",
	}
	if !reflect.DeepEqual(s.Annotations, want) {
		t.Errorf("%q", s.Annotations)
	}
}

func TestVolumes(t *testing.T) {
	img := config(t, `{"Cmd": ["sh"], "Volumes": {"/../../etc": {}, "data": {}, "/data": {}, "/have": {}, "/lnk": {}, "/proc/x": {}, "/": {}}}`)
	files := tree(t, map[string]string{"have": "/", "etc/passwd": "", "lnk": "-> /../../../../tmp"})
	var made []string
	o := Options{Files: files, VolumeDir: func(v string) (string, error) { made = append(made, v); return "/vol" + v, nil }}
	s, err := Spec(img, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(made); got != "[/data /lnk]" {
		t.Error(got)
	}
	base := len(specconv.Default(false).Mounts)
	if got := s.Mounts[base:]; len(got) != 2 || got[0].Destination != "/data" || got[0].Source != "/vol/data" {
		t.Errorf("%+v", got)
	}
	o.ReadOnly = true
	if s, err = Spec(img, o); err != nil {
		t.Fatal(err)
	}
	var places []string
	for _, m := range s.Mounts[base:] {
		if m.Type != "tmpfs" {
			t.Errorf("%+v", m)
		}
		places = append(places, m.Destination)
	}
	if got := strings.Join(places, " "); got != "/data /etc /have /lnk" {
		t.Error(got)
	}
}

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{CapDrop: []string{"all"}}, "[]"},
		{Options{CapDrop: []string{"ALL"}, CapAdd: []string{"net_raw"}}, "[CAP_NET_RAW]"},
		{Options{CapDrop: []string{"CAP_CHOWN", "mknod"}, CapAdd: []string{"chown", "sys_time"}}, "-CAP_CHOWN +CAP_SYS_TIME"},
		{Options{CapAdd: []string{"no_such"}}, "error"},
	} {
		got, err := capabilities(&c.o, 0)
		switch {
		case c.want == "error":
			if err == nil {
				t.Errorf("%+v: no error", c.o)
			}
		case strings.HasPrefix(c.want, "["):
			if fmt.Sprint(got.Bounding) != c.want || fmt.Sprint(got.Permitted) != c.want {
				t.Errorf("%+v: %v", c.o, got)
			}
		default:
			text := strings.Join(got.Bounding, " ")
			if strings.Contains(text, "CAP_CHOWN") || !strings.Contains(text, "CAP_SYS_TIME") || len(got.Inheritable)+len(got.Ambient) > 0 {
				t.Errorf("%+v: %v", c.o, got)
			}
		}
	}
	if got, err := capabilities(&Options{}, 1000); err != nil || len(got.Permitted) != 0 || len(got.Bounding) != 14 {
		t.Errorf("%+v, %v", got, err)
	}
}

// The runtime takes what comes out, with every wish.
func TestSpecIsValid(t *testing.T) {
	s, err := Spec(config(t, `{"Cmd": ["sh"], "WorkingDir": "../w"}`), Options{
		Tty: true, Hostname: "h", ReadOnly: true, Net: "host", Binds: []string{"/tmp:/t:ro"}, Memory: 64 << 20, CPUs: 0.5, Pids: 9,
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Process.Cwd != "/w" || !s.Process.Terminal || !s.Process.NoNewPrivileges || s.Linux.Seccomp == nil || *s.Linux.Resources.Pids.Limit != 9 {
		t.Errorf("%+v", s.Process)
	}
	for _, ns := range s.Linux.Namespaces {
		if ns.Type == specs.NetworkNamespace {
			t.Error("a network namespace beside --net host")
		}
	}
	for _, path := range []string{"/proc/kcore", "/proc/keys", "/sys/firmware"} {
		if !strings.Contains(strings.Join(s.Linux.MaskedPaths, " ")+" ", path+" ") {
			t.Errorf("%s is not masked", path)
		}
	}
	rootless, err := Spec(config(t, `{"Cmd": ["sh"]}`), Options{UserNS: &UserNS{UIDs: []idmap.Map{{Host: 1000, Size: 1}}, GIDs: []idmap.Map{{Host: 1001, Size: 1}}}})
	if err != nil || len(rootless.Linux.UIDMappings) != 1 || rootless.Linux.UIDMappings[0].HostID != 1000 || rootless.Linux.GIDMappings[0].HostID != 1001 || rootless.Process.User.AdditionalGids != nil {
		t.Errorf("%+v, %v", rootless, err)
	}
}

func TestTree(t *testing.T) {
	files := tree(t,
		map[string]string{"a/top": "1", "gone": "!", "hidden/new": "1", "dir/x": "!", "etc": "-> usr/etc", "abs": "-> /usr/etc/passwd", "up": "-> ../../../usr/etc/../etc/passwd", "loop": "-> loop"},
		map[string]string{"a/mid": "2", "gone/file": "2", "hidden": "opaque", "hidden/two": "2", "dir/x/y": "2", "file": "2"},
		map[string]string{"a/low": "3", "a/top": "3", "gone/file": "3", "hidden/three": "3", "dir/x/z": "3", "usr/etc/passwd": "p", "file/below": "3"},
	)
	for name, want := range map[string]string{
		"a/top": "1", "a/mid": "2", "/a/low": "3", "a/../a/./low": "3",
		"gone": "no such file or directory", "gone/file": "no such file or directory",
		"hidden/new": "1", "hidden/two": "2", "hidden/three": "no such file or directory",
		"dir/x": "no such file or directory", "dir/x/y": "no such file or directory",
		"etc/passwd": "p", "abs": "p", "up": "p", "../../etc/passwd": "p",
		"loop": "too many levels of symbolic links", "a": "is a directory", "a/top/x": "not a directory",
		"file": "2", "file/below": "not a directory",
	} {
		f, err := files.Open(name)
		var got string
		if err != nil {
			got = err.Error()
		} else {
			buf := make([]byte, 10)
			n, _ := f.Read(buf)
			got = string(buf[:n])
			f.Close()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if dir, err := files.IsDir("hidden"); !dir || err != nil {
		t.Error(dir, err)
	}
}
