package build

import (
	"os"
	"path/filepath"
	"testing"
)

// What the kernel shows of Debian's qemu-user-static, and of handlers that are none
// for arm64.
const (
	aarch64Handler = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\n" +
		"magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
	riscvHandler  = "enabled\ninterpreter /usr/bin/r\nflags: F\noffset 0\nmagic 7f454c460201010000000000000000000200f300\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
	powerHandler  = "enabled\ninterpreter /usr/bin/p\nflags: F\noffset 0\nmagic 7f454c4602020100000000000000000000020015\nmask ffffffffffffff00fffffffffffffffffffeffff\n"
	pythonHandler = "enabled\ninterpreter /usr/bin/python3\nflags: \noffset 0\nmagic cb0d0d0a\n"
	windows       = "enabled\ninterpreter /usr/bin/wine\nflags: \nextension .exe\n"
)

// TestEmulated: a handler is found by what it takes, not by its name.
func TestEmulated(t *testing.T) {
	for _, c := range []struct {
		name, handler, status, arch string
		want                        bool
	}{
		{"qemu-aarch64", aarch64Handler, "enabled\n", "arm64", true},
		{"rosetta", aarch64Handler, "enabled\n", "arm64", true},
		{"qemu-aarch64", aarch64Handler, "enabled\n", "arm", false},
		{"qemu-aarch64", "disabled" + aarch64Handler[len("enabled"):], "enabled\n", "arm64", false},
		{"qemu-aarch64", aarch64Handler, "disabled\n", "arm64", false},
		{"qemu-riscv64", riscvHandler, "enabled\n", "riscv64", true},
		{"qemu-riscv64", riscvHandler, "enabled\n", "arm64", false},
		{"qemu-ppc64", powerHandler, "enabled\n", "ppc64", true},
		{"qemu-ppc64", powerHandler, "enabled\n", "ppc64le", false},
		{"python", pythonHandler, "enabled\n", "arm64", false},
		{"wine", windows, "enabled\n", "arm64", false},
		{"broken", "enabled\noffset 0\nmagic 7f454c46zz\n", "enabled\n", "arm64", false},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"status": c.status, c.name: c.handler} {
			must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		m, ok := machineOf(c.arch)
		if !ok {
			t.Fatalf("%s is not known", c.arch)
		}
		if have := emulated(dir, m); have != c.want {
			t.Errorf("%s for %s, %q: %v", c.name, c.arch, c.status, have)
		}
	}
	if emulated(filepath.Join(t.TempDir(), "missing"), machine{}) {
		t.Error("a handler without the file system")
	}
}
