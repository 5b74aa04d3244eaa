package lsm

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
)

// AppArmor sets the profile for the next execve. The profile must be loaded. On a
// kernel where AppArmor is absent or off it is an error.
func AppArmor(proc *safepath.Proc, profile string) error {
	op := "set apparmor profile " + strconv.Quote(profile)
	// attr/exec belongs to the first security module of a stack, apparmor/exec
	// (since v5.8) to AppArmor for certain.
	file := "attr/apparmor/exec"
	fd, err := proc.OpenThreadSelf(file, syscall.O_WRONLY)
	if err == syscall.ENOENT {
		file = "attr/exec"
		fd, err = proc.OpenThreadSelf(file, syscall.O_WRONLY)
	}
	if err == syscall.ENOENT {
		return failed(op+": this kernel has no security modules", file, err)
	}
	if err != nil {
		return failed(op, file, err)
	}
	defer closeFd(fd)
	switch err = write(fd, "exec "+profile); err {
	case syscall.ENOENT:
		op += ": it is not loaded"
	case syscall.EINVAL:
		op += ": AppArmor is not enabled on this host, or the name is malformed"
	}
	return failed(op, file, err)
}

// SELinux sets the label of the workload for the next execve. On a kernel where
// SELinux is absent or off it is an error.
func SELinux(proc *safepath.Proc, label string) error {
	const file = "attr/exec"
	err := openWrite(proc, file, label)
	op := "set selinux label " + strconv.Quote(label)
	if err == syscall.EINVAL {
		op += ": SELinux is not enabled on this host, or the policy does not know the label"
	}
	return failed(op, file, err)
}

// SELinuxKeyring sets the label of keyrings the calling thread makes from now on;
// an empty label goes back to the policy's default.
func SELinuxKeyring(proc *safepath.Proc, label string) error {
	const file = "attr/keycreate"
	op := "set selinux label " + strconv.Quote(label) + " for keyrings"
	if label == "" {
		label = "\n" // a write of no bytes does not reach the module
	}
	return failed(op, file, openWrite(proc, file, label))
}

// failed names the file as podman looks for it to tell a label error.
func failed(op, file string, err error) error {
	return linux.Wrap(op+": write `/proc/thread-self/"+file+"`", err)
}

func openWrite(proc *safepath.Proc, file, data string) error {
	fd, err := proc.OpenThreadSelf(file, syscall.O_WRONLY)
	if err != nil {
		return err
	}
	defer closeFd(fd)
	return write(fd, data)
}

// write writes data at once: the module takes a label from one call.
func write(fd int, data string) error {
	for {
		n, err := syscall.Write(fd, []byte(data))
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return err
		case n != len(data):
			return syscall.EIO
		default:
			return nil
		}
	}
}

// closeFd closes an attr file, which takes the label in write(2), not in close(2).
func closeFd(fd int) { _ = syscall.Close(fd) }
