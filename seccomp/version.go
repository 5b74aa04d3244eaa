package seccomp

// Version returns the version of the libseccomp that compiles; empty when there is
// none.
func Version() string {
	if !Enabled() {
		return ""
	}
	return libraryVersion()
}
