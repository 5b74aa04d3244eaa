package creds

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// smallELF is a program that calls exit_group(7) and nothing else.
func smallELF(t *testing.T) []byte {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("has machine code for x86_64")
	}
	code := []byte{0xb8, 231, 0, 0, 0, 0xbf, 7, 0, 0, 0, 0x0f, 0x05}
	return elfFile(emX8664, code, "")
}

// elfFile is an ELF executable for x86_64 or another 64-bit little-endian machine.
func elfFile(machine uint16, code []byte, loader string) []byte {
	const base, head, entry = 0x400000, 64, 56
	headers := 1
	if loader != "" {
		headers = 2
	}
	start := head + entry*headers
	size := start + len(code)
	b := []byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	le := binary.LittleEndian
	b = le.AppendUint16(b, 2) // ET_EXEC
	b = le.AppendUint16(b, machine)
	b = le.AppendUint32(b, 1)
	for _, v := range []uint64{base + uint64(start), head, 0} { // entry, phoff, shoff
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{head, entry, uint16(headers), 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	segment := func(kind, flags uint32, off, size uint64) {
		b = le.AppendUint32(b, kind)
		b = le.AppendUint32(b, flags)
		for _, v := range []uint64{off, base + off, base + off, size, size, 0x1000} {
			b = le.AppendUint64(b, v)
		}
	}
	if loader != "" {
		segment(3, 4, uint64(size), uint64(len(loader)+1))
	}
	segment(1, 5, 0, uint64(size))
	b = append(b, code...)
	if loader != "" {
		b = append(b, loader+"\x00"...)
	}
	return b
}

// bpf is an instruction of a seccomp filter.
func bpf(b []byte, code uint16, jt, jf byte, k uint32) []byte {
	b = binary.NativeEndian.AppendUint16(b, code)
	b = append(b, jt, jf)
	return binary.NativeEndian.AppendUint32(b, k)
}

// only allows the system calls of nrs and kills the process at any other.
func only(nrs ...uint32) []byte {
	b := bpf(nil, 0x20, 0, 0, 0) // load the number
	for _, nr := range nrs {
		b = bpf(b, 0x15, 0, 1, nr)
		b = bpf(b, 0x06, 0, 0, 0x7fff0000)
	}
	return bpf(b, 0x06, 0, 0, 0x80000000)
}

func TestFilterNeedsExecveAlone(t *testing.T) {
	needRoot(t)
	path := filepath.Join(openDir(t), "seven")
	if err := os.WriteFile(path, smallELF(t), 0o755); err != nil {
		t.Fatal(err)
	}
	p := process(path)
	p.SeccompFilter = only(syscall.SYS_EXECVE, syscall.SYS_EXIT_GROUP)
	p.SeccompFlags = 1 // TSYNC, which is left out
	if res := child(t, "become", request{Process: p}, 0); res.code != 7 {
		t.Errorf("exit status %d, signal %v, stderr %s", res.code, res.signal, res.stderr)
	}
	p.SeccompFilter = only(syscall.SYS_EXECVE)
	if res := child(t, "become", request{Process: p}, 0); res.signal != syscall.SIGSYS {
		t.Errorf("exit status %d, signal %v: the filter is not in force", res.code, res.signal)
	}
}

func TestExecRefusals(t *testing.T) {
	needRoot(t)
	bb := busybox(t)
	dir := openDir(t)
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	code := []byte{0xf4}
	other, otherName := uint16(emAarch64), "aarch64"
	host := "x86_64"
	native := uint16(emX8664)
	if runtime.GOARCH == "arm64" {
		native, other, host, otherName = emAarch64, emX8664, "aarch64", "x86_64"
	} else if runtime.GOARCH != "amd64" {
		t.Skip("knows x86_64 and aarch64")
	}
	nested := file("nested", "#!"+dir+"/gone\n", 0o755)
	for _, c := range []struct{ path, want string }{
		{file("nointerp", "#!/none/bash -e\n", 0o755), `interpreter "/none/bash" of "$" does not exist: no such file or directory`},
		{file("crlf", "#!/bin/sh\r\necho\r\n", 0o755), `the "#!" line of "$" ends in a carriage return: convert the script's line ends to LF: no such file or directory`},
		{file("outer", "#! "+nested+"\n", 0o755), `interpreter "` + dir + `/gone" of "` + nested + `" does not exist: no such file or directory`},
		{file("dirinterp", "#!"+dir+"\n", 0o755), `interpreter "` + dir + `" of "$" is not a regular file: permission denied`},
		{file("noexec", "#!"+file("plain", "x", 0o644)+"\n", 0o755), `interpreter "` + dir + `/plain" of "$" is not executable: permission denied`},
		{file("text", "echo hello\n", 0o755), `"$" has neither a "#!" line nor a known executable format: exec format error`},
		{file("bom", "\xef\xbb\xbf#!/bin/sh\n", 0o755), `"$" has a byte order mark in front of its "#!" line: save it without one: exec format error`},
		{file("empty", "", 0o755), `"$" is empty: exec format error`},
		{file("bare", "#! \n", 0o755), `"$" names no interpreter in its "#!" line: exec format error`},
		{file("arch", string(elfFile(other, code, "")), 0o755), `"$" is an executable for ` + otherName + `, this host is ` + host + `: exec format error`},
		{file("loader", string(elfFile(native, code, "/none/ld.so")), 0o755), `dynamic loader "/none/ld.so" of "$" does not exist: no such file or directory`},
		{file("cut", "\x7fELF\x02\x01", 0o755), `"$" is a truncated ELF file: exec format error`},
	} {
		for _, filter := range [][]byte{nil, allowAll} {
			p := process(c.path)
			p.SeccompFilter = filter
			want := "exec " + quote(c.path) + ": " + strings.ReplaceAll(c.want, "$", c.path)
			child(t, "become", request{Process: p}, 0).mustFail(t, want)
		}
	}
	p := process(bb, "a\x00b")
	child(t, "become", request{Process: p}, 0).mustFail(t, "exec "+quote(bb)+": an argument or variable holds a NUL byte: invalid argument")
	p = process(bb, "true")
	p.SeccompFilter = bpf(nil, 0xffff, 0, 0, 0)
	child(t, "become", request{Process: p}, 0).mustFail(t, "load seccomp filter: invalid argument")
}

func TestLookPath(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(dir+"/plain", nil, 0o644))
	must(os.WriteFile(dir+"/rootonly", nil, 0o700))
	must(os.Mkdir(dir+"/sub", 0o755))
	must(os.Mkdir(dir+"/sub/tool", 0o755)) // a directory is passed over
	must(os.Mkdir(dir+"/bin", 0o755))
	must(os.WriteFile(dir+"/bin/tool", []byte("#!"+busybox(t)+" true\n"), 0o755))
	for _, c := range []struct{ name, path, want string }{
		{"none", "/usr/bin:/bin", `exec: "none": executable file not found in $PATH`},
		{"tool", "", `exec: "tool": executable file not found in $PATH`},
		{"", "/bin", `exec: "": executable file not found in $PATH`},
		{"plain", dir, `exec: "plain": executable file not found in $PATH`},
		{"rootonly", dir, `exec: "rootonly": executable file not found in $PATH`},
		{dir + "/none", "", `exec: "` + dir + `/none": stat ` + dir + `/none: no such file or directory`},
		{dir + "/plain/x", "", `exec: "` + dir + `/plain/x": stat ` + dir + `/plain/x: not a directory`},
		{dir + "/plain", "", `exec: "` + dir + `/plain": permission denied`},
		{dir + "/rootonly", "", `exec: "` + dir + `/rootonly": permission denied`},
		{dir + "/sub", "", `exec: "` + dir + `/sub": is a directory`},
		{"./none", "", `exec: "./none": stat ./none: no such file or directory`},
		{"tool", "/none:" + dir + "/sub:" + dir + "/bin", ""},
		{"tool", "/none:", ""}, // an empty element is the working directory
		{"../bin/tool", "", ""},
	} {
		p := process(c.name)
		p.Env, p.UID, p.GID, p.Cwd = []string{"PATH=/usr/bin", "PATH=" + c.path}, 1000, 1000, dir+"/bin"
		res := child(t, "become", request{Process: p}, 0)
		if c.want == "" {
			res.mustSucceed(t)
			continue
		}
		res.mustFail(t, c.want)
	}
	p := process("true")
	p.Env = nil
	child(t, "become", request{Process: p}, 0).mustFail(t, `exec: "true": executable file not found in $PATH`)
}

func init() {
	roles["noexec"] = func(r request) error {
		dir := r.Args[0]
		if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_NOEXEC, ""); err != nil {
			return err
		}
		if err := os.WriteFile(dir+"/x", []byte("#!/bin/sh\n"), 0o755); err != nil {
			return err
		}
		if cause := diagnose(dir + "/x"); cause != quote(dir+"/x")+" lies on a file system mounted noexec" {
			return errors.New("diagnosed " + cause)
		}
		_, err := LookPath(dir+"/x", nil)
		return err
	}
}

func TestNoexec(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	res := child(t, "noexec", request{Args: []string{dir}}, syscall.CLONE_NEWNS)
	res.mustFail(t, `exec: "`+dir+`/x": the file system is mounted noexec: permission denied`)
}
