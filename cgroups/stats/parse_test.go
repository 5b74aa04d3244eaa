package stats

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"berth/cgroups"
	"berth/tests/cgtest"
)

func TestList(t *testing.T) {
	for s, want := range map[string][]uint16{"": nil, "0": {0}, "0-2,5": {0, 1, 2, 5}, "7,9-10": {7, 9, 10}} {
		if got, err := list(s); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"a", "1-", "-1", "1,,2", "70000"} {
		if got, err := list(s); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestPageSize(t *testing.T) {
	for dir, want := range map[string]string{"hugepages-64kB": "64KB", "hugepages-2048kB": "2MB", "hugepages-1048576kB": "1GB", "x": "", "hugepages-kB": ""} {
		if got, ok := pageSize(dir); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v", dir, got, ok)
		}
	}
}

func TestPSIData(t *testing.T) {
	var d PSIData
	if !psiData(&d, []string{"avg10=0.12", "avg60=3.40", "avg300=100.00", "total=12345"}) || d != (PSIData{0.12, 3.4, 100, 12345}) {
		t.Errorf("%+v", d)
	}
	if psiData(&d, []string{"avg10=x"}) || psiData(&d, []string{"total=-1"}) {
		t.Error("nonsense accepted")
	}
}

func TestCountIO(t *testing.T) {
	var b Blkio
	for _, pair := range []string{"rbytes=4096", "wbytes=8192", "dbytes=0", "rios=1", "wios=2", "dios=0", "cost.usage=7", "new"} {
		if !b.count(8, 16, pair) {
			t.Errorf("%s refused", pair)
		}
	}
	want := Blkio{
		IOServiceBytes: []BlkioEntry{{8, 16, "Read", 4096}, {8, 16, "Write", 8192}, {8, 16, "Discard", 0}},
		IOServiced:     []BlkioEntry{{8, 16, "Read", 1}, {8, 16, "Write", 2}, {8, 16, "Discard", 0}},
	}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("%+v", b)
	}
	if b.count(8, 16, "rbytes=x") {
		t.Error("nonsense accepted")
	}
}

// A hybrid host has the core files of v2, without controllers.
func TestUnified(t *testing.T) {
	if cgtest.Layout(t).V2 {
		t.Skip("the host is not hybrid")
	}
	dir := cgtest.Unified(t)
	r := open(t, cgroups.Record{Paths: map[string]string{"": dir}})
	s := read(t, r)
	if s.CPU == nil || s.CPU.Throttling != nil || s.Pids != nil {
		t.Errorf("%+v", s)
	}
	// Controllers that no v1 hierarchy has at the moment may be here.
	has, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Hugetlb != nil && !strings.Contains(string(has), "hugetlb") || s.Rdma != nil && !strings.Contains(string(has), "rdma") {
		t.Errorf("%+v without controllers: %q", s, has)
	}
	if _, err := os.Stat(filepath.Join(dir, "cpu.pressure")); err == nil && s.CPU.PSI == nil {
		t.Error("cpu.pressure was not read")
	}
	if w, err := r.WatchOOM(); w != nil || err != nil {
		t.Errorf("%v %v", w, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.pressure"), []byte("0"), 0); err != nil {
		t.Skip(err)
	}
	if s := read(t, r); s.CPU.PSI != nil || s.Memory != nil || s.Blkio != nil {
		t.Errorf("with PSI switched off: %+v", s)
	}
}
