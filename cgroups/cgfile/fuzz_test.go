package cgfile

import (
	"strings"
	"testing"
)

// FuzzSelfCgroup reads any text as /proc/PID/cgroup: whatever a process says of
// itself, what is opened for it lies below the container's cgroup.
func FuzzSelfCgroup(f *testing.F) {
	for _, s := range []string{"0::/x/sub\n", "4:cpu,cpuacct:/x\n0::/../y\n", "0::/x/../../y", "::", "0::/x//x/.\n"} {
		f.Add("/sys/fs/cgroup/x", s)
	}
	f.Fuzz(func(t *testing.T, dir, text string) {
		at := ownUnified(text)
		if rel, ok := below(dir, at); ok && Local(rel) != nil {
			t.Errorf("%q in %q: %q is not below", at, dir, rel)
		}
	})
}

// FuzzPlace reads any text as linux.cgroupsPath.
func FuzzPlace(f *testing.F) {
	for _, s := range []string{"/docker/abc", "a/../../b", "/", ".", "..", "/kubepods.slice/x", "a//b/./c/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		rel, err := Place(path)
		if err == nil && (rel == "." || Local(rel) != nil) {
			t.Errorf("%q becomes %q", path, rel)
		}
	})
}

// FuzzRestore reads any text as the content of a control file that is to be put back:
// nothing at all is never written, the kernel's parsers are not given that.
func FuzzRestore(f *testing.F) {
	for _, s := range [][3]string{
		{"io.max", "8:0 rbps=1", "8:0 rbps=max wbps=2 riops=max wiops=max\n8:16 rbps=3\n"},
		{"memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\n"},
		{"cpuset.cpus.partition", "root", "root invalid (Parent is not a partition root)"},
		{"cpu.max", "max 100000", "50000 100000"}, {"io.weight", "default 100", "default 50\n8:0 20"},
		{"cpuset.cpus", "0-1", ""}, {"rdma.max", "mlx5_0 hca_handle=2", ""},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, name, data, content string) {
		// As Dir.Read returns it.
		content = strings.TrimSpace(content)
		if restore(name, data, content) == "" {
			t.Errorf("%s, %q written over %q: nothing to put back", name, data, content)
		}
	})
}
