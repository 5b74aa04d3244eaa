package state

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// Alive tells whether the process pid that started at startTime runs. A zombie
// does not, nor does another process that has got the number since. Neither does
// an init on its way out: the kernel ends the one of a pid namespace only when
// every process in it has been reaped, and that of an exec'ed one is up to its
// parent outside, which may never do it (pid_namespaces(7), zap_pid_ns_processes). When /proc
// cannot be read, for want of file descriptors, say, it is an error: a container
// must not be taken for stopped and deleted because of that.
func Alive(pid int, startTime uint64) (bool, error) {
	if pid <= 0 {
		return false, nil
	}
	st, err := readStat(pid)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return st.startTime == startTime && st.state != 'Z' && st.state != 'X' && !st.exiting, nil
}

// StartTime returns when a process started, in clock ticks since boot: field 22
// of /proc/PID/stat (proc_pid_stat(5)). ESRCH or ENOENT when it is gone.
func StartTime(pid int) (uint64, error) {
	st, err := readStat(pid)
	return st.startTime, err
}

type procStat struct {
	state     byte
	exiting   bool
	startTime uint64
	exitCode  uint32 // 0 unless the process has ended and the caller may know
}

func readStat(pid int) (procStat, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	fd, err := openAt(unix.AT_FDCWD, path, unix.O_RDONLY, 0)
	if err != nil {
		return procStat{}, fmt.Errorf("open %s: %w", path, err)
	}
	defer closeFD(fd)
	var buf [1024]byte
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return procStat{}, fmt.Errorf("read %s: %w", path, err)
	}
	st, err := parseStat(buf[:n])
	if err != nil {
		return procStat{}, fmt.Errorf("read %s: %w", path, err)
	}
	return st, nil
}

var errStat = errors.New("not the line of proc_pid_stat(5)")

// parseStat starts behind the last ')': the process chooses its name, in field 2,
// and may write parentheses, spaces and digits into it.
func parseStat(line []byte) (procStat, error) {
	const (
		stateField = 3
		flagsField = 9
		startField = 22
		exitField  = 52
	)
	i := bytes.LastIndexByte(line, ')')
	if i < 0 {
		return procStat{}, errStat
	}
	fields := bytes.Fields(line[i+1:])
	if len(fields) <= startField-stateField || len(fields[0]) != 1 {
		return procStat{}, errStat
	}
	start, err := strconv.ParseUint(string(fields[startField-stateField]), 10, 64)
	if err != nil {
		return procStat{}, errStat
	}
	flags, err := strconv.ParseUint(string(fields[flagsField-stateField]), 10, 64)
	if err != nil {
		return procStat{}, errStat
	}
	const pfExiting = 0x4 // include/linux/sched.h
	st := procStat{state: fields[0][0], exiting: flags&pfExiting != 0, startTime: start}
	if len(fields) > exitField-stateField {
		code, err := strconv.ParseUint(string(fields[exitField-stateField]), 10, 32)
		if err != nil {
			return procStat{}, errStat
		}
		st.exitCode = uint32(code)
	}
	return st, nil
}
