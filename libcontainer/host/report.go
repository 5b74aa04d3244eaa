package host

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Fact is one answer.
type Fact struct {
	// Group is what it is about: "namespaces", "cgroups" …
	Group string `json:"group"`
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	// Reason says how it is known, or what is missing.
	Reason string `json:"reason"`
}

// Report is everything about the host.
type Report struct {
	Kernel       string `json:"kernel"`
	Architecture string `json:"architecture"`
	// CgroupLayout is "v1", "hybrid", "v2" or "none".
	CgroupLayout string `json:"cgroupLayout"`
	// User is the uid that asks: some answers depend on it.
	User  int    `json:"uid"`
	Facts []Fact `json:"facts"`
}

// Look makes the report. libseccomp is the version that is linked in, empty for
// none.
func Look(libseccomp string) Report {
	r := Report{Kernel: release(), Architecture: runtime.GOARCH, CgroupLayout: layoutName(), User: unix.Geteuid()}
	for _, group := range [][]Fact{
		kernelFacts(), Namespaces(), cgroupFacts(), lsmFacts(), seccompFacts(libseccomp), mountFacts(), otherFacts(), rootlessFacts(),
	} {
		r.Facts = append(r.Facts, group...)
	}
	return r
}

// fact completes a Fact with the reason that belongs to the answer.
func fact(group, name string, ok bool, yes, no string) Fact {
	f := Fact{Group: group, Name: name, OK: ok, Reason: no}
	if ok {
		f.Reason = yes
	}
	return f
}
