package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Report is what the probe sees from inside a container.
type Report struct {
	Pid, PPid, Sid, Pgid   int
	UID, EUID, GID, EGID   int
	Groups                 []int
	Args, Env              []string
	Cwd                    string
	Hostname, Domainname   string
	FDs                    map[int]string
	Mounts                 []Mount
	Namespaces             map[string]string
	Cgroup                 string
	Status                 map[string]string // of /proc/self/status
	OOMScoreAdj            string
	Personality            uintptr
	Policy, Priority, Nice int
	IOPrio                 int
	Timens                 string
	Uptime                 string
}

// Mount returns the uppermost mount at a mount point.
func (r Report) Mount(point string) (Mount, bool) {
	for i := len(r.Mounts) - 1; i >= 0; i-- {
		if r.Mounts[i].Point == point {
			return r.Mounts[i], true
		}
	}
	return Mount{}, false
}

// probe is the life of this binary as /bin/probe in a container.
func probe(args []string) int {
	if len(args) == 0 {
		args = []string{"report"}
	}
	verbs := map[string]func([]string) error{
		"report": probeReport, "pause": probePause, "signals": probeSignals, "try": probeTry, "tty": probeTty,
		"winch": probeWinch, "grow": probeGrow, "forks": probeForks, "bomb": probeBomb, "notify": probeNotify, "listen": probeListen,
		"exit": probeExit, "stat": probeStat, "snoop": probeSnoop,
	}
	verb := verbs[args[0]]
	if verb == nil {
		fmt.Fprintln(os.Stderr, "probe: unknown verb", args[0])
		return 125
	}
	if err := verb(args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		return 124
	}
	return 0
}

func probeReport([]string) error {
	runtime.LockOSThread()
	r := Report{
		Pid: os.Getpid(), PPid: os.Getppid(), Pgid: syscall.Getpgrp(),
		UID: os.Getuid(), EUID: os.Geteuid(), GID: os.Getgid(), EGID: os.Getegid(),
		Args: os.Args, Env: os.Environ(),
		FDs: map[int]string{}, Namespaces: map[string]string{}, Status: map[string]string{},
	}
	// What cannot be seen from here stays empty, and the test says so.
	r.Sid, _ = unix.Getsid(0)
	r.Groups, _ = os.Getgroups()
	r.Cwd, _ = os.Readlink("/proc/self/cwd")
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		r.Hostname, r.Domainname = unix.ByteSliceToString(uts.Nodename[:]), unix.ByteSliceToString(uts.Domainname[:])
	}
	r.Mounts, _ = ReadMounts("/proc/self/mountinfo")
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		if link, err := os.Readlink("/proc/self/ns/" + kind); err == nil {
			r.Namespaces[kind] = link
		}
	}
	r.Cgroup = slurp("/proc/self/cgroup")
	for line := range strings.Lines(slurp("/proc/thread-self/status")) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			r.Status[key] = strings.TrimSpace(value)
		}
	}
	r.OOMScoreAdj = slurp("/proc/self/oom_score_adj")
	r.Timens = slurp("/proc/self/timens_offsets")
	r.Uptime = slurp("/proc/uptime")
	r.Personality, _, _ = unix.RawSyscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0)
	policy, _, _ := unix.RawSyscall(unix.SYS_SCHED_GETSCHEDULER, 0, 0, 0)
	r.Policy = int(policy)
	var param struct{ priority int32 }
	_, _, _ = unix.RawSyscall(unix.SYS_SCHED_GETPARAM, 0, uintptr(unsafe.Pointer(&param)), 0)
	r.Priority = int(param.priority)
	nice, _, _ := unix.RawSyscall(unix.SYS_GETPRIORITY, 0, 0, 0)
	r.Nice = 20 - int(nice)
	ioprio, _, _ := unix.RawSyscall(unix.SYS_IOPRIO_GET, 1, 0, 0)
	r.IOPrio = int(ioprio)
	r.FDs = openFDs("/proc/self/fd")
	return json.NewEncoder(os.Stdout).Encode(r)
}

// openFDs lists descriptors and what they refer to, those of the Go runtime and of
// reading the list itself left out.
func openFDs(dir string) map[int]string {
	fds := map[int]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fds
	}
	for _, entry := range entries {
		n, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		link, err := os.Readlink(filepath.Join(dir, entry.Name()))
		if err != nil || strings.HasSuffix(link, "/fd") || GoRuntimeFD(link) {
			continue
		}
		fds[n] = link
	}
	return fds
}

// GoRuntimeFD says that a descriptor is one the Go runtime of a program opens for
// itself: its poller, the cgroup files it takes GOMAXPROCS from (since Go 1.25), and
// what it looks at while it starts.
func GoRuntimeFD(link string) bool {
	if strings.HasPrefix(link, "/proc/") && strings.HasSuffix(link, "/cgroup") {
		return true
	}
	for _, name := range []string{"[eventpoll]", "[eventfd]", "/cpu.cfs_quota_us", "/cpu.cfs_period_us", "/cpu.max", "/mountinfo", "/hpage_pmd_size"} {
		if strings.HasSuffix(link, name) {
			return true
		}
	}
	return false
}

func slurp(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// probePause says ready and ends on SIGTERM, with status 0.
func probePause([]string) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM)
	fmt.Println("ready")
	<-signals
	return nil
}

// probeSignals names each signal it gets, until SIGTERM.
func probeSignals([]string) error {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	signal.Ignore(syscall.SIGURG)
	fmt.Println("ready")
	for s := range signals {
		number, ok := s.(syscall.Signal)
		if !ok || number == syscall.SIGURG || number == syscall.SIGCHLD {
			continue
		}
		fmt.Println("got", unix.SignalName(number))
		if number == syscall.SIGTERM {
			return nil
		}
	}
	return nil
}

// probeExit ends with a status, or by a signal (-N).
func probeExit(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	os.Exit(n)
	return nil
}

// Tried is the answer of the kernel to one attempt of the probe: ok or the errno's name.
type Tried map[string]string

// probeTry makes system calls and reports how each ended. An attempt is written
// OP:ARG:ARG…, see attempt.
func probeTry(args []string) error {
	runtime.LockOSThread()
	tried := Tried{}
	for _, arg := range args {
		tried[arg] = errnoName(attempt(strings.Split(arg, ":")))
	}
	return json.NewEncoder(os.Stdout).Encode(tried)
}

func errnoName(err error) string {
	if err == nil {
		return "ok"
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

func attempt(words []string) error {
	arg := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	number := func(i int) uintptr {
		n, err := strconv.ParseUint(arg(i), 0, 64)
		if err != nil {
			return 0
		}
		return uintptr(n)
	}
	open := func(flags int) error {
		fd, err := syscall.Open(arg(1), flags|syscall.O_CLOEXEC, 0o644)
		if err == nil {
			err = syscall.Close(fd)
		}
		return err
	}
	switch arg(0) {
	case "read":
		fd, err := syscall.Open(arg(1), syscall.O_RDONLY, 0)
		if err != nil {
			return err
		}
		buffer := make([]byte, 16)
		n, err := syscall.Read(fd, buffer)
		if err == nil && n == 0 {
			return fmt.Errorf("empty")
		}
		return err
	case "open":
		return open(syscall.O_RDONLY)
	case "openrw":
		return open(syscall.O_RDWR)
	case "write":
		return open(syscall.O_WRONLY)
	case "create":
		return open(syscall.O_WRONLY | syscall.O_CREAT)
	case "put":
		fd, err := syscall.Open(arg(1), syscall.O_WRONLY|syscall.O_CREAT, 0o644)
		if err != nil {
			return err
		}
		_, err = syscall.Write(fd, []byte(arg(2)))
		return err
	case "mkdir":
		return syscall.Mkdir(arg(1), 0o755)
	case "list":
		entries, err := os.ReadDir(arg(1))
		if err == nil && len(entries) == 0 {
			return fmt.Errorf("empty")
		}
		return err
	case "mknod": // path, type (c, b), major, minor
		mode := uint32(syscall.S_IFCHR)
		if arg(2) == "b" {
			mode = syscall.S_IFBLK
		}
		return syscall.Mknod(arg(1), mode|0o600, int(unix.Mkdev(uint32(number(3)), uint32(number(4)))))
	case "exec":
		_, err := syscall.ForkExec(arg(1), []string{arg(1)}, nil)
		return err
	case "mount": // source, target, type
		return syscall.Mount(arg(1), arg(2), arg(3), 0, "")
	case "umount":
		return syscall.Unmount(arg(1), syscall.MNT_DETACH)
	case "chown":
		return syscall.Chown(arg(1), int(number(2)), int(number(3)))
	case "setuid":
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETUID, number(1), 0, 0)
		return zero(errno)
	case "sethostname":
		return syscall.Sethostname([]byte(arg(1)))
	case "symlink":
		return syscall.Symlink(arg(1), arg(2))
	case "rawsocket":
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
		if err == nil {
			err = syscall.Close(fd)
		}
		return err
	case "syscall": // number and up to four arguments
		_, _, errno := syscall.RawSyscall6(number(1), number(2), number(3), number(4), number(5), 0, 0)
		return zero(errno)
	}
	return fmt.Errorf("unknown attempt")
}

func zero(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// Stat is one file as the probe sees it.
type Stat struct {
	Mode         uint32 // type and permission bits
	UID, GID     uint32
	Major, Minor uint32
	Size         int64
	Link, Error  string
}

func probeStat(paths []string) error {
	stats := map[string]Stat{}
	for _, path := range paths {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			stats[path] = Stat{Error: errnoName(err)}
			continue
		}
		s := Stat{
			Mode: st.Mode, UID: st.Uid, GID: st.Gid, Size: st.Size,
			Major: unix.Major(uint64(st.Rdev)), Minor: unix.Minor(uint64(st.Rdev)),
		}
		if st.Mode&unix.S_IFMT == unix.S_IFLNK {
			s.Link, _ = os.Readlink(path)
		}
		stats[path] = s
	}
	return json.NewEncoder(os.Stdout).Encode(stats)
}

// TtyReport is what the probe sees of its terminal.
type TtyReport struct {
	IsTerminal [3]bool
	Name       string // of stdin
	Rows, Cols uint16
	Foreground bool
	Sid        int
	Console    string // what /dev/console is
}

func probeTty([]string) error {
	var r TtyReport
	for i := range r.IsTerminal {
		_, err := unix.IoctlGetTermios(i, unix.TCGETS)
		r.IsTerminal[i] = err == nil
	}
	r.Name, _ = os.Readlink("/proc/self/fd/0")
	if size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ); err == nil {
		r.Rows, r.Cols = size.Row, size.Col
	}
	if group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP); err == nil {
		r.Foreground = group == syscall.Getpgrp()
	}
	r.Sid, _ = unix.Getsid(0)
	var st unix.Stat_t
	if unix.Stat("/dev/console", &st) == nil {
		r.Console = fmt.Sprintf("%d:%d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)))
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// probeWinch prints the terminal's size now and after each SIGWINCH, until SIGTERM or SIGINT.
func probeWinch([]string) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGWINCH, syscall.SIGTERM, syscall.SIGINT)
	show := func(word string) {
		if size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ); err == nil {
			fmt.Printf("%s %dx%d\n", word, size.Row, size.Col)
		}
	}
	show("ready")
	for s := range signals {
		if s != unix.SIGWINCH {
			fmt.Println("got", unix.SignalName(s.(syscall.Signal)))
			return nil
		}
		show("resized")
	}
	return nil
}

// probeGrow touches the given number of MiB.
func probeGrow(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	memory, err := unix.Mmap(-1, 0, n<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	fmt.Println("grown")
	return nil
}

// probeForks starts processes until it has n or the kernel refuses, and says how many.
func probeForks(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for i := range n {
		_, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "100"}, &syscall.ProcAttr{})
		if err != nil {
			fmt.Printf("%d %s\n", i, errnoName(err))
			return nil
		}
	}
	fmt.Printf("%d ok\n", n)
	return nil
}

// probeBomb forks for ever, and so does every child. Nothing of the Go runtime may run
// in them, and where no more processes are allowed it must not need a thread either.
func probeBomb([]string) error {
	runtime.LockOSThread()
	for {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	}
}

// probeNotify sends its arguments to NOTIFY_SOCKET, each as one datagram, and pauses.
func probeNotify(messages []string) error {
	// Before the first message: whoever gets it may send the signal at once.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM)
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	for _, message := range messages {
		if _, err := io.WriteString(conn, message); err != nil {
			return err
		}
	}
	<-signals
	return nil
}

// ListenReport is what a socket-activated service sees.
type ListenReport struct {
	Fds, Pid, Names string
	Self            int
	// Read holds what can be read from each descriptor from 3 on.
	Read map[int]string
}

func probeListen(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	r := ListenReport{
		Fds: os.Getenv("LISTEN_FDS"), Pid: os.Getenv("LISTEN_PID"), Names: os.Getenv("LISTEN_FDNAMES"),
		Self: os.Getpid(), Read: map[int]string{},
	}
	for fd := 3; fd < 3+n; fd++ {
		buffer := make([]byte, 64)
		got, err := syscall.Read(fd, buffer)
		if err != nil {
			r.Read[fd] = errnoName(err)
			continue
		}
		r.Read[fd] = string(buffer[:got])
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// probeSnoop looks at every other process it can see, for the given number of
// milliseconds, and reports descriptors, exe and root links that lead out of the
// container: what a leaked host descriptor would show.
func probeSnoop(args []string) error {
	ms, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	found := map[string]bool{}
	self := strconv.Itoa(os.Getpid())
	for end := time.Now().Add(time.Duration(ms) * time.Millisecond); time.Now().Before(end); {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if _, err := strconv.Atoi(entry.Name()); err != nil || entry.Name() == self {
				continue
			}
			dir := "/proc/" + entry.Name()
			for n, link := range openFDs(dir + "/fd") {
				if n > 2 {
					found["fd "+link] = true
				}
			}
			if exe, err := os.Open(dir + "/exe"); err == nil {
				link, _ := os.Readlink(dir + "/exe")
				if !strings.HasPrefix(link, "/bin/") {
					found["exe "+link] = true
				}
				if len(args) > 1 {
					if w, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", exe.Fd()), os.O_WRONLY, 0); err == nil {
						found["WRITABLE exe "+link] = true
						_, _ = w.WriteString("overwritten")
						_ = w.Close()
					}
				}
				_ = exe.Close()
			}
		}
	}
	names := []string{}
	for name := range found {
		names = append(names, name)
	}
	return json.NewEncoder(os.Stdout).Encode(names)
}
