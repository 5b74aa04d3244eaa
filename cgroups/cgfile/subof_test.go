package cgfile

import "testing"

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		dir, cgroup, want string
	}{
		{"/sys/fs/cgroup/x", "/x", "."},
		{"/sys/fs/cgroup/x", "/x/sub", "sub"},
		{"/sys/fs/cgroup/x", "/x/x/x", "x/x"},
		{"/sys/fs/cgroup/x/x", "/x/x", "."},
		{"/sys/fs/cgroup/x/x", "/x/x/x", "x"},
		{"/sys/fs/cgroup/a.slice/x.scope", "/a.slice/x.scope/init.scope", "init.scope"},
		{"/sys/fs/cgroup/unified/x", "/x/a/b", "a/b"},
		// A part of the host's tree is mounted, and there is no cgroup namespace.
		{"/sys/fs/cgroup/x", "/docker/4711/x/sub", "sub"},
		{"/sys/fs/cgroup/x", "/y", ""},
		{"/sys/fs/cgroup/x", "/", ""},
		{"/sys/fs/cgroup/x", "/../y", ""},
		{"/sys/fs/cgroup/x", "/../x/../y", ""},
		{"/sys/fs/cgroup/x", "", ""},
	} {
		got, ok := below(c.dir, c.cgroup)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s below %s: %q %v, want %q", c.cgroup, c.dir, got, ok, c.want)
		}
	}
}
