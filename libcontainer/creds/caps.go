package creds

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// A capability that cannot be granted is a warning, never an error: the runtime
// spec asks for that ("SHOULD NOT fail"), and it is what lets a container with
// all capabilities run on a host whose root lacks one. A capability that cannot
// be taken away is an error.

// Bounding sets the inheritable set and reduces the bounding set to that of p;
// without capabilities in the configuration both become empty. Names of what
// cannot be granted go to warn. Call it before User.
func Bounding(p *wire.Process, warn func(string)) error {
	want := sets(p)
	effective, permitted, inheritable, err := linux.Capget()
	if err != nil {
		return linux.Wrap("read capabilities", err)
	}
	bounding, err := bounded()
	if err != nil {
		return err
	}
	inherit := want.Inheritable & (permitted | inheritable) & (bounding | inheritable)
	missing(warn, want.Bounding&^bounding|want.Inheritable&^inherit)
	// First, while the bounding set is whole: capset(2) refuses to add an
	// inheritable capability that the bounding set lacks.
	if err := linux.Capset(effective, permitted, inherit); err != nil {
		return linux.Wrap("set inheritable capabilities", err)
	}
	for c := 0; c < 64; c++ {
		bit := uint64(1) << c
		if bounding&bit == 0 || want.Bounding&bit != 0 {
			continue
		}
		if err := linux.Prctl(linux.PrCapbsetDrop, uintptr(c), 0, 0, 0); err != nil {
			return linux.Wrap("drop "+capName(c)+" from the bounding set", err)
		}
	}
	return nil
}

// bounded reads the calling thread's bounding set. The first number that the
// kernel does not know ends it.
func bounded() (uint64, error) {
	var set uint64
	for c := 0; c < 64; c++ {
		in, err := linux.CapBounded(c)
		if err == syscall.EINVAL {
			break
		}
		if err != nil {
			return 0, linux.Wrap("read the bounding set", err)
		}
		if in {
			set |= 1 << c
		}
	}
	return set, nil
}

// Capabilities sets the permitted, effective and ambient sets of p, as far as the
// thread has them; names of what cannot be granted go to warn. Call it after
// Bounding and User.
//
// When a seccomp filter or a Landlock ruleset is to be loaded and no_new_privs is
// not wanted, the thread keeps CAP_SYS_ADMIN besides, because both ask for it and the
// filter is to come last, so that it need not allow any of berth's own calls.
// CAP_SYS_NICE stays for a scheduler that is set after the hooks, and then goes
// (SchedulingAfterHooks); with or without no_new_privs, so that hooks may keep it
// where the bounding set allows it.
//
// The workload does not get CAP_SYS_ADMIN, as execve computes the new sets from others
// (capabilities(7), "Transformation of capabilities during execve";
// cap_bprm_creds_from_file in security/commoncap.c):
//
//	P'(permitted) = (P(inheritable) & F(inheritable)) | (F(permitted) & P(bounding)) | P'(ambient)
//	P'(effective) = F(effective) ? P'(permitted) : P'(ambient)
//
// where for root F is all ones, which gives P(inheritable) | P(bounding). The old
// permitted and effective sets do not occur, with one exception: when the new
// set holds more than the old and the thread is under no_new_privs, is traced by
// someone without the privilege, or shares its fs struct with another process,
// the result is cut down to the old permitted set. Then an extra bit there can
// only let pass what inheritable, bounding or a file grants anyway, which is what
// the same execve would give without the cut. Under no_new_privs
// CAP_SYS_ADMIN is not kept at all. Ambient bits are raised one by one and never include it unless
// configured. A kernel that no longer works so fails TestCapabilitiesAfterExec.
func Capabilities(p *wire.Process, warn func(string)) error {
	want := sets(p)
	_, have, inheritable, err := linux.Capget()
	if err != nil {
		return linux.Wrap("read capabilities", err)
	}
	permitted := want.Permitted & have
	effective := want.Effective & permitted
	ambient := want.Ambient & permitted & inheritable
	lacking := want.Permitted&^permitted | want.Effective&^effective | want.Ambient&^ambient
	missing(warn, lacking&^warned(want.Bounding, lacking))

	var extra uint64
	if (len(p.SeccompFilter) > 0 || p.Landlock != nil) && !p.NoNewPrivs {
		extra = 1 << linux.CapSysAdmin & have
	}
	if p.Scheduler != nil && p.Scheduler.AfterHooks {
		extra |= 1 << linux.CapSysNice & have
	}
	if err := linux.Capset(effective|extra, permitted|extra, inheritable); err != nil {
		return linux.Wrap("set capabilities", err)
	}
	return raiseAmbient(ambient)
}

func raiseAmbient(set uint64) error {
	// A caller of berth may have left some.
	if err := linux.Prctl(linux.PrCapAmbient, linux.PrCapAmbientClear, 0, 0, 0); err != nil && err != syscall.EINVAL {
		return linux.Wrap("clear ambient capabilities", err) // EINVAL: before v4.3 there are none
	}
	for c := 0; c < 64; c++ {
		if set&(1<<c) == 0 {
			continue
		}
		if err := linux.Prctl(linux.PrCapAmbient, linux.PrCapAmbientRaise, uintptr(c), 0, 0); err != nil {
			return linux.Wrap("raise ambient "+capName(c), err)
		}
	}
	return nil
}

func sets(p *wire.Process) wire.Capabilities {
	if p.Capabilities == nil {
		return wire.Capabilities{}
	}
	return *p.Capabilities
}

// warned returns those of set that Bounding has warned of: wanted there, but not in
// the bounding set.
func warned(bounding, set uint64) uint64 {
	var known uint64
	for c := 0; c < 64; c++ {
		if bounding&set&(1<<c) == 0 {
			continue
		}
		// An error means that the kernel does not know the capability.
		if in, err := linux.CapBounded(c); err != nil || !in {
			known |= 1 << c
		}
	}
	return known
}

// missing warns of the capabilities in set.
func missing(warn func(string), set uint64) {
	if set == 0 || warn == nil {
		return
	}
	text := "capabilities not granted:"
	for c := 0; c < 64; c++ {
		if set&(1<<c) != 0 {
			text += " " + capName(c)
		}
	}
	warn(text + " (berth's caller or the kernel lacks them, or another set of the configuration does)")
}

// capName returns the name of capability number c, "CAP_41" for one that this
// program has no name for.
func capName(c int) string {
	if c < 0 || c >= len(linux.CapNames) {
		return "CAP_" + strconv.Itoa(c)
	}
	return "CAP_" + linux.CapNames[c]
}
