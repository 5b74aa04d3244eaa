//go:build linux && (amd64 || 386)

// Command probe loads a filter on its main thread and makes syscalls under it.
//
//	probe FILTER FLAGS MODE NR,ARG,...
//
// FILTER is a file with an array of struct sock_filter, FLAGS are for seccomp(2).
// It prints one line per syscall: ok or the errno's number. MODE is "plain"; or
// "thread", where the filter is put on a second thread, which makes the syscall
// while the first watches whether it lives; or "notify", where the first thread
// answers the notification with the value 77.
package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	prSetNoNewPrivs = 38
	setModeFilter   = 1
	notifRecv       = 0xc0502100
	notifSend       = 0xc0182101
)

type fprog struct {
	length uint16
	filter unsafe.Pointer
}

func main() {
	runtime.LockOSThread()
	filter, err := os.ReadFile(os.Args[1])
	check(err)
	flags, err := strconv.ParseUint(os.Args[2], 0, 32)
	check(err)
	switch os.Args[3] {
	case "plain":
		load(filter, uintptr(flags))
		for _, call := range os.Args[4:] {
			report(do(call))
		}
	case "thread":
		watch(filter, uintptr(flags), os.Args[4])
	case "notify":
		answer(filter, uintptr(flags), os.Args[4])
	}
}

func load(filter []byte, flags uintptr) uintptr {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0)
	checkErrno(errno)
	prog := fprog{uint16(len(filter) / 8), unsafe.Pointer(&filter[0])}
	fd, _, errno := syscall.RawSyscall(sysSeccomp, setModeFilter, flags, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	checkErrno(errno)
	return fd
}

func do(call string) (uintptr, syscall.Errno) {
	var a [7]uintptr
	for i, field := range strings.Split(call, ",") {
		n, err := strconv.ParseUint(field, 0, 64)
		check(err)
		a[i] = uintptr(n)
	}
	r, _, errno := syscall.RawSyscall6(a[0], a[1], a[2], a[3], a[4], a[5], a[6])
	return r, errno
}

func report(_ uintptr, errno syscall.Errno) {
	if errno == 0 {
		print("ok")
	} else {
		print(strconv.Itoa(int(errno)))
	}
}

func print(line string) {
	_, err := os.Stdout.WriteString(line + "\n")
	check(err)
}

// watch prints "thread gone" once the filtered thread is no more.
func watch(filter []byte, flags uintptr, call string) {
	tid := make(chan int)
	done := make(chan syscall.Errno)
	go func() {
		runtime.LockOSThread()
		tid <- syscall.Gettid()
		<-tid
		load(filter, flags)
		_, errno := do(call)
		done <- errno
	}()
	id := <-tid
	tid <- 0
	task := "/proc/self/task/" + strconv.Itoa(id)
	for {
		if _, err := os.Stat(task); err != nil {
			print("thread gone")
			return
		}
		select {
		case errno := <-done:
			report(0, errno)
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// answer prints the value the filtered syscall returned.
func answer(filter []byte, flags uintptr, call string) {
	listener := make(chan uintptr)
	value := make(chan uintptr)
	go func() {
		runtime.LockOSThread()
		listener <- load(filter, flags)
		r, errno := do(call)
		checkErrno(errno)
		value <- r
	}()
	fd := <-listener
	var request [80]byte
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, notifRecv, uintptr(unsafe.Pointer(&request)))
	checkErrno(errno)
	var response [24]byte
	copy(response[:8], request[:8])
	response[8] = 77
	_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, notifSend, uintptr(unsafe.Pointer(&response)))
	checkErrno(errno)
	print(strconv.Itoa(int(<-value)))
}

func check(err error) {
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n") // nowhere else to say it
		os.Exit(3)
	}
}

func checkErrno(errno syscall.Errno) {
	if errno != 0 {
		check(errno)
	}
}
