package seccomp

// Archs are the architectures a profile may name. Nil without libseccomp.
func Archs() []string {
	if !Enabled() {
		return nil
	}
	names := make([]string, len(archs))
	for i, a := range archs {
		names[i] = string(a.name)
	}
	return names
}

// Actions are the actions a profile may use on this kernel. Nil without
// libseccomp.
func Actions() []string {
	if !Enabled() {
		return nil
	}
	var names []string
	for _, a := range actions {
		if actionSupported(a.ret) {
			names = append(names, string(a.name))
		}
	}
	return names
}

// Operators are the comparisons a profile may use. Nil without libseccomp.
func Operators() []string {
	if !Enabled() {
		return nil
	}
	names := make([]string, len(operators))
	for i, op := range operators {
		names[i] = string(op)
	}
	return names
}

// KnownFlags are the filter flags berth knows. Nil without libseccomp.
func KnownFlags() []string {
	if !Enabled() {
		return nil
	}
	names := make([]string, len(flags))
	for i, f := range flags {
		names[i] = string(f.name)
	}
	return names
}

// SupportedFlags are those of KnownFlags that this kernel has. Nil without
// libseccomp.
func SupportedFlags() []string {
	if !Enabled() {
		return nil
	}
	var names []string
	for _, f := range flags {
		if flagSupported(f.bit) {
			names = append(names, string(f.name))
		}
	}
	return names
}
