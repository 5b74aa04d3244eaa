package rootfs

import "berth/libcontainer/wire"

// maxOption is what fsconfig(2) takes as key or value.
const maxOption = 255

// nextOption cuts the first option off a mount(8) option string. A comma between
// double quotes belongs to the option (SELinux contexts).
func nextOption(data string) (opt, rest string) {
	quoted := false
	for i := 0; i < len(data); i++ {
		switch {
		case data[i] == '"':
			quoted = !quoted
		case data[i] == ',' && !quoted:
			return data[:i], data[i+1:]
		}
	}
	return data, ""
}

// cutValue splits key=value; has is false for an option without "=".
func cutValue(opt string) (key, value string, has bool) {
	for i := 0; i < len(opt); i++ {
		if opt[i] == '=' {
			return opt[:i], unquote(opt[i+1:]), true
		}
	}
	return opt, "", false
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// hasOption tells whether data sets key.
func hasOption(data, key string) bool {
	for data != "" {
		var opt string
		opt, data = nextOption(data)
		if k, _, _ := cutValue(opt); k == key {
			return true
		}
	}
	return false
}

// addOption appends opt to data.
func addOption(data, opt string) string {
	if data == "" {
		return opt
	}
	return data + "," + opt
}

// label is the SELinux context for a new file system, "" for none.
func (r *Root) label(m *wire.Mount) string {
	if m.SkipLabel {
		return ""
	}
	return r.plan.MountLabel
}

// context is the mount option that the label is given by.
func (f *freshFS) context() string {
	if f.labelKey == "" {
		return "context"
	}
	return f.labelKey
}

// needsMount2 tells options that fsconfig(2) cannot take: long values (overlay's
// lowerdir), escaped commas, and flags without a key.
func needsMount2(f *freshFS) bool {
	if len(f.source) > maxOption || f.super&msIVersion != 0 {
		return true
	}
	for data := f.data; data != ""; {
		var opt string
		opt, data = nextOption(data)
		key, value, _ := cutValue(opt)
		if len(key) > maxOption || len(value) > maxOption {
			return true
		}
		for i := 0; i < len(opt); i++ {
			if opt[i] == '\\' {
				return true
			}
		}
	}
	return false
}
