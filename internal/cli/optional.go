package cli

// optionalValue is a flag that may stand alone or with =VALUE.
type optionalValue struct {
	given bool
	value string
}

// Set implements flag.Value; the flag alone is given as "true".
func (o *optionalValue) Set(s string) error {
	o.given, o.value = true, s
	if s == "true" {
		o.value = ""
	}
	if s == "false" {
		*o = optionalValue{}
	}
	return nil
}

func (o *optionalValue) String() string { return o.value }

// IsBoolFlag keeps package flag from taking the next argument for the value.
func (*optionalValue) IsBoolFlag() bool { return true }
