package libcontainer

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// glibc keeps the first two real-time signals, 32 and 33, for itself; users count
// from SIGRTMIN as it does (signal(7)).
const (
	sigRTMin = 34
	sigRTMax = 64
)

// ParseSignal reads a signal as people and engines write it: 9, KILL, SIGKILL,
// sigkill, RTMIN+3, SIGRTMAX-1. 0 is allowed: it only asks whether the process
// exists.
func ParseSignal(s string) (syscall.Signal, error) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && n <= sigRTMax {
		return syscall.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	for _, known := range signals {
		if known.name == name {
			return known.number, nil
		}
	}
	if n := realtime(name); n != 0 {
		return n, nil
	}
	return 0, fmt.Errorf("unknown signal %q", s)
}

// realtime reads RTMIN, RTMIN+N, RTMAX and RTMAX-N; 0 when name is none of them.
func realtime(name string) syscall.Signal {
	base, sign := sigRTMin, 1
	rest, ok := strings.CutPrefix(name, "RTMIN")
	if !ok {
		if rest, ok = strings.CutPrefix(name, "RTMAX"); !ok {
			return 0
		}
		base, sign = sigRTMax, -1
	}
	if rest == "" {
		return syscall.Signal(base)
	}
	if (rest[0] == '+') != (sign > 0) || (rest[0] != '+' && rest[0] != '-') {
		return 0
	}
	n, err := strconv.ParseUint(rest[1:], 10, 8)
	if err != nil || n > sigRTMax-sigRTMin {
		return 0
	}
	return syscall.Signal(base + sign*int(n))
}

// signals are the standard ones with their aliases (signal(7)).
var signals = [...]struct {
	name   string
	number syscall.Signal
}{
	{"HUP", syscall.SIGHUP}, {"INT", syscall.SIGINT}, {"QUIT", syscall.SIGQUIT}, {"ILL", syscall.SIGILL},
	{"TRAP", syscall.SIGTRAP}, {"ABRT", syscall.SIGABRT}, {"IOT", syscall.SIGIOT}, {"BUS", syscall.SIGBUS},
	{"FPE", syscall.SIGFPE}, {"KILL", syscall.SIGKILL}, {"USR1", syscall.SIGUSR1}, {"SEGV", syscall.SIGSEGV},
	{"USR2", syscall.SIGUSR2}, {"PIPE", syscall.SIGPIPE}, {"ALRM", syscall.SIGALRM}, {"TERM", syscall.SIGTERM},
	{"STKFLT", syscall.SIGSTKFLT}, {"CHLD", syscall.SIGCHLD}, {"CLD", syscall.SIGCLD}, {"CONT", syscall.SIGCONT},
	{"STOP", syscall.SIGSTOP}, {"TSTP", syscall.SIGTSTP}, {"TTIN", syscall.SIGTTIN}, {"TTOU", syscall.SIGTTOU},
	{"URG", syscall.SIGURG}, {"XCPU", syscall.SIGXCPU}, {"XFSZ", syscall.SIGXFSZ}, {"VTALRM", syscall.SIGVTALRM},
	{"PROF", syscall.SIGPROF}, {"WINCH", syscall.SIGWINCH}, {"IO", syscall.SIGIO}, {"POLL", syscall.SIGPOLL},
	{"PWR", syscall.SIGPWR}, {"SYS", syscall.SIGSYS}, {"UNUSED", syscall.SIGSYS},
}
