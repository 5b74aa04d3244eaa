package creds

import (
	"os"
	"strings"
	"testing"
)

func contains(s, sub string) bool { return strings.Contains(s, sub) }

// reader delivers s in pieces of at most n bytes.
func reader(s string, n int) func([]byte) int {
	return func(p []byte) int {
		m := copy(p[:min(n, len(p))], s)
		s = s[m:]
		return m
	}
}

func TestHomeOf(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, c := range []struct {
		passwd string
		uid    uint32
		want   string
	}{
		{"root:x:0:0:root:/root:/bin/sh\n", 0, "/root"},
		{"root:x:0:0:root:/root", 0, "/root"},
		{"a:x:10:0::/a:\nb:x:1:0::/b:\n", 1, "/b"},
		{"a:x:1:0::/first:\nb:x:1:0::/second:\n", 1, "/first"},
		{"1:x:0:0::/name:\n", 1, "/"}, // CVE-2016-3697
		{"a:x:01:0::/a:\n", 1, "/"},
		{"a:x:1:0::relative:\n", 1, "/"},
		{"a:x:1:0:::\n", 1, "/"},
		{"a:x:1:0::/n\x00ul:\n", 1, "/"},
		{"a:x:1:0\n", 1, "/"},
		{"#a:x:2:0::/a:\n+\n\n:::\nb:x:1:0::/b:/bin/sh:more\n", 1, "/b"},
		{long + ":x:1:0::/long:\nb:x:1:0::/b:\n", 1, "/b"},
		{"b:x:4294967294:0::/b:\n", 4294967294, "/b"},
		{strings.Repeat("c:x:7:7::/c:\n", 1<<17) + "b:x:1:0::/b:\n", 1, "/"}, // beyond 1 MiB
	} {
		for _, n := range []int{1, 7, 1 << 20} {
			if got := homeOf(c.uid, reader(c.passwd, n)); got != c.want {
				t.Errorf("home of %d in %.40q is %q, want %q", c.uid, c.passwd, got, c.want)
			}
		}
	}
}

func FuzzHomeOf(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/sh\n", uint32(0))
	f.Fuzz(func(t *testing.T, passwd string, uid uint32) {
		home := homeOf(uid, reader(passwd, 100))
		if home[0] != '/' || contains(home, "\x00") || contains(home, ":") {
			t.Errorf("home is %q", home)
		}
	})
}

func TestInspectOwnExecutable(t *testing.T) {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f := inspect(func(off int64, p []byte) int {
		n, _ := file.ReadAt(p, off)
		return n
	})
	if f.fault != "" || f.foreign || f.script {
		t.Errorf("%+v", f)
	}
}

func TestInspectMachines(t *testing.T) {
	be := []byte("\x7fELF\x01\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x14")
	be = append(be, make([]byte, 64)...)
	if f := inspect(bytesAt(be)); !f.foreign || !contains(f.fault, "is an executable for ppc, this host is ") {
		t.Errorf("%+v", f)
	}
	for machine, name := range map[uint16]string{emRiscv: "riscv64", 21: "ppc64le", 22: "s390x", 999: "machine number 999"} {
		native, _ := hostMachines()
		if machine == native {
			continue
		}
		if f := inspect(bytesAt(elfFile(machine, nil, "/lib/ld.so"))); !f.foreign || f.interp != "/lib/ld.so" || !contains(f.fault, " for "+name+",") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	object := elfFile(emX8664, nil, "")
	object[16] = 1
	if f := inspect(bytesAt(object)); f.fault != "is an ELF file, but not an executable (type 1)" {
		t.Errorf("%+v", f)
	}
}

func bytesAt(b []byte) func(int64, []byte) int {
	return func(off int64, p []byte) int {
		if off < 0 || off >= int64(len(b)) {
			return 0
		}
		return copy(p, b[off:])
	}
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte("#!/bin/sh -e\r\n"))
	f.Add([]byte("#!" + strings.Repeat("x", 300)))
	f.Add(elfFile(emX8664, []byte{1}, "/lib64/ld.so"))
	f.Add(elfFile(emAarch64, nil, ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		found := inspect(bytesAt(data))
		if found.script && found.interp == "" || found.foreign && found.fault == "" || contains(found.interp, "\x00") {
			t.Errorf("%+v", found)
		}
	})
}
