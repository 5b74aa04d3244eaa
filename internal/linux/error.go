package linux

// OpError is an operation on an object, and why it did not succeed.
type OpError struct {
	// Op names both, lower case: "mount proc on /proc".
	Op  string
	Err error
}

// Wrap returns an *OpError, or nil when err is nil.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Err: err}
}

func (e *OpError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap gives errors.Is and errors.As access to the cause.
func (e *OpError) Unwrap() error { return e.Err }
