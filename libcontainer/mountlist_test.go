package libcontainer

import "testing"

func TestParseMountinfo(t *testing.T) {
	const table = `22 21 0:20 / / rw,relatime shared:1 master:2 - tmpfs tmp\040fs rw,size=5\054x
broken line
23 22 0:21 /a\012b /with\040space\134\999 ro - ext4 /dev/sda
24 22 0:22
`
	got := parseMountinfo(table)
	want := []MountInfo{
		{Destination: "/", Type: "tmpfs", Source: "tmp fs", Root: "/", Options: "rw,relatime", SuperOptions: "rw,size=5,x", Propagation: "shared:1 master:2"},
		{Destination: `/with space\\999`, Type: "ext4", Source: "/dev/sda", Root: "/a\nb", Options: "ro"},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}

func FuzzMountinfo(f *testing.F) {
	f.Add("22 21 0:20 / / rw shared:1 - tmpfs tmp\\040fs rw\n")
	f.Fuzz(func(t *testing.T, table string) {
		for _, m := range parseMountinfo(table) {
			if m.Destination == "" || m.Type == "" {
				t.Errorf("%+v", m)
			}
		}
	})
}
