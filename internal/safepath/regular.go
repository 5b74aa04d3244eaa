package safepath

import (
	"syscall"

	"berth/internal/linux"
)

// OpenRegular opens a file below root for reading, following links inside root, if it
// is a regular one; anything else is a Refusal. What a container has put there is
// looked at before it is opened: the open alone of a device has effects on the host,
// from rewinding a tape to starting a watchdog, and may wait for ever.
func OpenRegular(root int, path string) (int, error) {
	fd, err := OpenInRoot(root, path, linux.O_PATH)
	if err != nil {
		return -1, err
	}
	defer closeFD(fd)
	return ReopenRegular(fd, path)
}

// ReopenRegular is OpenRegular for an O_PATH fd, which stays the caller's; name is for
// errors.
func ReopenRegular(fd int, name string) (int, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return -1, err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return -1, &Refusal{Object: name, Reason: "it is not a regular file"}
	}
	return Reopen(fd, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY)
}
