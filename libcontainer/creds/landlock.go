package creds

import (
	"errors"
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// Landlock puts the calling thread under the ruleset of p. It comes after
// NoNewPrivs, which with CAP_SYS_ADMIN is what gives the right to it, after
// everything that opens files, and before the seccomp filter, which may forbid its
// system calls.
//
// What the kernel does not know is left out with a warning, as a program that is
// confined in part is better off than one that does not run; a strict ruleset asks
// for the opposite.
func Landlock(p *wire.Process, warn func(string)) error {
	l := p.Landlock
	if l == nil {
		return nil
	}
	abi, err := linux.LandlockABI()
	if err != nil {
		if l.Strict {
			return linux.Wrap("landlock", err)
		}
		warn("landlock: not enforced: " + err.Error())
		return nil
	}
	handled, err := handle(l, abi, warn)
	if err != nil {
		return err
	}
	if handled == (linux.LandlockRuleset{}) {
		return nil // the warnings have told
	}
	ruleset, err := linux.LandlockCreate(handled, abi)
	if err != nil {
		return linux.Wrap("create landlock ruleset", err)
	}
	defer closeFd(ruleset)
	for i := range l.Paths {
		if err := allowPath(ruleset, &l.Paths[i], handled.FS, l.Strict, warn); err != nil {
			return err
		}
	}
	for _, port := range l.Ports {
		access := port.Access & handled.Net
		if access == 0 {
			continue
		}
		if err := linux.LandlockAllowPort(ruleset, access, port.Port); err != nil {
			return linux.Wrap("landlock: allow port "+strconv.FormatUint(port.Port, 10), err)
		}
	}
	return linux.Wrap("enforce landlock ruleset", linux.LandlockRestrict(ruleset))
}

// handle reduces what the ruleset handles to what an ABI knows.
func handle(l *wire.Landlock, abi int, warn func(string)) (linux.LandlockRuleset, error) {
	known := landlockKnown(abi)
	lacks := ""
	for _, set := range [...]struct {
		name           string
		handled, known uint64
	}{
		{"handledAccessFS", l.FS, known.FS}, {"handledAccessNet", l.Net, known.Net}, {"scoped", l.Scoped, known.Scoped},
	} {
		if missing := set.handled &^ set.known; missing != 0 {
			lacks += " " + set.name + " 0x" + strconv.FormatUint(missing, 16)
		}
	}
	if lacks != "" {
		text := "landlock: this kernel (ABI " + strconv.Itoa(abi) + ") does not know" + lacks
		if l.Strict {
			return linux.LandlockRuleset{}, errors.New(text)
		}
		warn(text)
	}
	return linux.LandlockRuleset{FS: l.FS & known.FS, Net: l.Net & known.Net, Scoped: l.Scoped & known.Scoped}, nil
}

// landlockKnown returns every access right of an ABI (landlock(7), VERSIONS).
func landlockKnown(abi int) linux.LandlockRuleset {
	known := linux.LandlockRuleset{FS: linux.LandlockFSRefer - 1}
	if abi >= 2 {
		known.FS |= linux.LandlockFSRefer
	}
	if abi >= 3 {
		known.FS |= linux.LandlockFSTruncate
	}
	if abi >= 4 {
		known.Net = linux.LandlockNetBindTCP | linux.LandlockNetConnectTCP
	}
	if abi >= 5 {
		known.FS |= linux.LandlockFSIoctlDev
	}
	if abi >= 6 {
		known.Scoped = linux.LandlockScopeAbstractUnix | linux.LandlockScopeSignal
	}
	return known
}

// landlockFile are the access rights that files other than directories have; with
// any other the kernel refuses a rule for one (EINVAL).
const landlockFile = linux.LandlockFSExecute | linux.LandlockFSWriteFile | linux.LandlockFSReadFile |
	linux.LandlockFSTruncate | linux.LandlockFSIoctlDev

func allowPath(ruleset int, p *wire.LandlockPath, handled uint64, strict bool, warn func(string)) error {
	fd, err := linux.Openat(linux.AT_FDCWD, p.Path, linux.O_PATH, 0)
	if err != nil {
		if !strict && (err == syscall.ENOENT || err == syscall.ENOTDIR || err == syscall.EACCES) {
			warn("landlock: no rule for " + quote(p.Path) + ": " + err.Error())
			return nil
		}
		return linux.Wrap("landlock: open "+quote(p.Path), err)
	}
	defer closeFd(fd)
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return linux.Wrap("landlock: stat "+quote(p.Path), err)
	}
	access := p.Access & handled
	if st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		access &= landlockFile
	}
	if access == 0 {
		return nil
	}
	return linux.Wrap("landlock: allow "+quote(p.Path), linux.LandlockAllowPath(ruleset, access, fd))
}
