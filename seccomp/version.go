package seccomp

// Version returns the version of the libseccomp that is linked in; empty when
// there is none.
func Version() string {
	if !Enabled() {
		return ""
	}
	return libraryVersion()
}
