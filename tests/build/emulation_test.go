package build

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// foreign is an architecture that this machine is none of, for a program of which
// the first bytes are header.
func foreign() (arch string, header []byte) {
	arch, code := "riscv64", elf.EM_RISCV
	if runtime.GOARCH == arch {
		arch, code = "arm64", elf.EM_AARCH64
	}
	header = make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18] = byte(elf.ET_EXEC), byte(code)
	return arch, header
}

// TestEmulation: a step of another architecture runs by the handler that is registered
// for it, of whatever name. The handler is that of a user namespace (since v6.7), so
// that the host sees nothing of it.
func TestEmulation(t *testing.T) {
	berth := os.Getenv("BERTH_RUNTIME")
	if berth == "" {
		t.Skip("BERTH_RUNTIME is not set: it names the berth to test (make test sets it)")
	}
	if _, err := exec.LookPath("unshare"); err != nil {
		t.Skip("no unshare (Debian: util-linux)")
	}
	arch, header := foreign()
	dir := tempDir(t)
	for name, content := range map[string]string{"Dockerfile": "FROM scratch\nCOPY --chmod=755 prog /prog\nRUN [\"/prog\", \"word\"]\n", "prog": string(header)} {
		must(t, os.MkdirAll(filepath.Join(dir, "context"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "context", name), []byte(content), 0o600))
	}
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	emulator := filepath.Join(dir, "emulator")
	must(t, os.WriteFile(emulator, self, 0o600))
	must(t, os.Chmod(emulator, 0o755))
	var magic strings.Builder
	for _, b := range header[:20] {
		fmt.Fprintf(&magic, "\\x%02x", b)
	}
	const unsupported = 77
	script := fmt.Sprintf(`mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit %d
if test -n "$RULE"; then printf %%s "$RULE" > /proc/sys/fs/binfmt_misc/register || exit %d; fi
exec "$@"`, unsupported, unsupported)
	build := func(rule string) (int, string) {
		t.Helper()
		cmd := exec.Command("unshare", "-Urm", "sh", "-c", script, "sh", berth, "--root", filepath.Join(dir, "run"), "build", "--progress", "plain",
			"--platform", "linux/"+arch, "--output", filepath.Join(dir, "out"), filepath.Join(dir, "context"))
		cmd.Env = append(os.Environ(), "BERTH_STORE="+filepath.Join(dir, "store"), "RULE="+rule)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	code, out := build("")
	if code == unsupported || strings.HasPrefix(out, "unshare:") {
		t.Skipf("no binfmt_misc of a user namespace (needs Linux 6.7): %s", out)
	}
	if code != 1 || !strings.Contains(out, "the kernel has no binfmt_misc handler for "+arch+" (qemu-") {
		t.Errorf("without a handler: status %d:\n%s", code, out)
	}
	if code, out = build(":some-name:M::" + magic.String() + "::" + emulator + ":F"); code != 0 {
		t.Fatalf("with a handler: status %d:\n%s", code, out)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "out", "emulated")); err != nil || string(raw) != "/prog word" {
		t.Errorf("the emulator got %q (%v)", raw, err)
	}
	// What is in the cache needs none.
	if code, out = build(""); code != 0 {
		t.Errorf("from the cache: status %d:\n%s", code, out)
	}
}
