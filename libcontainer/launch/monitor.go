package launch

import "golang.org/x/sys/unix"

// CalmMonitor lets the monitor of the Go runtime sleep longer than it asks for. It
// wakes up every 20 µs, a hundred times while a container starts, to look after
// goroutines that wait for one in a system call; here there are hardly any. The timer
// slack of another thread takes CAP_SYS_NICE (proc_pid_timerslack_ns(5)): without it all
// stays as it was.
func CalmMonitor() {
	const slack = "2000000" // ns that a goroutine may have to wait longer
	tasks, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	var buf [512]byte
	n, err := unix.ReadDirent(tasks, buf[:])
	unix.Close(tasks)
	if err != nil {
		return
	}
	// The kernel lists threads in the order of their birth, and the monitor is the
	// first that the runtime starts.
	_, _, names := unix.ParseDirent(buf[:n], 2, nil)
	if len(names) < 2 {
		return
	}
	fd, err := unix.Open("/proc/"+names[1]+"/timerslack_ns", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	// Refused, it costs time and nothing else.
	_, _ = unix.Write(fd, []byte(slack))
	unix.Close(fd)
}
