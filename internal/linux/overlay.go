package linux

import "strconv"

// MaxOverlay is how many layers overlayfs stacks below the one that is written to
// (OVL_MAX_STACK); it refuses more with EINVAL.
const MaxOverlay = 500

// OverlayOptions are options of mount(2) for an overlayfs of directories, topmost
// first, that are named by their descriptors. upper and work are paths below such a
// descriptor ("7", "7/upper"), or empty for an overlay that cannot be written to.
//
// The calling thread's working directory has to be /proc/thread-self/fd. So a
// directory takes the digits of a number: all that overlayfs can stack fit into the
// page that mount(2) reads, which whole paths do not, and no character of a name can
// be taken for an option. fsconfig(2) takes as many since v6.8 only (lowerdir+).
func OverlayOptions(lowers []int, upper, work string, others ...string) string {
	data := make([]byte, 0, 64+6*len(lowers))
	for _, option := range others {
		data = append(append(data, option...), ',')
	}
	if upper != "" {
		data = append(append(data, "upperdir="...), upper...)
		data = append(append(data, ",workdir="...), work...)
		data = append(data, ',')
	}
	data = append(data, "lowerdir="...)
	for i, fd := range lowers {
		if i > 0 {
			data = append(data, ':')
		}
		data = strconv.AppendInt(data, int64(fd), 10)
	}
	return string(data)
}
