package seccomp

// Program is a compiled profile: what the init stage hands to seccomp(2). A
// Program with an empty Filter stands for a profile that filters nothing, and
// nothing is to be loaded for it.
type Program struct {
	// Filter is an array of struct sock_filter in native byte order, at most
	// 4096 of them.
	Filter []byte
	// Flags are SECCOMP_FILTER_FLAG_* for SECCOMP_SET_MODE_FILTER;
	// SECCOMP_FILTER_FLAG_NEW_LISTENER is among them if Notify is set.
	Flags uint64
	// Notify says that some rule asks a listener (SCMP_ACT_NOTIFY).
	Notify bool
	// ListenerPath is the Unix socket of the listener, ListenerMetadata what goes
	// with the container's state to it. Both are empty unless Notify is set: the
	// runtime spec has them ignored otherwise.
	ListenerPath, ListenerMetadata string
	// Notes say what of the profile was left out, and why no cache was used. They
	// are for the log at --debug.
	Notes []string
}
