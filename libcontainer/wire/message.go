package wire

import "syscall"

// Kind tells what a message says. The diagram in doc.go shows their order.
type Kind uint8

// The messages; those without a comment of their own carry nothing.
const (
	KindPlan     Kind = iota + 1 // parent → init: the Plan
	KindHooksDue                 // init → parent
	KindReady                    // init → parent
	KindProceed                  // parent → init
	KindStart                    // parent → init
	KindWarning                  // init → parent: a text
	KindFailed                   // init → parent: a Failure
	KindListener                 // init → parent: then a byte with the listener's fd (SendFD)
)

// Failure is why the init stage gave up, in a form that keeps the errno, so that
// the parent can give exit codes and hints.
type Failure struct {
	// Step is the name of the boot step ("mounts", "pivot root", "execve").
	Step string
	// Text is the whole sentence without the step.
	Text  string
	Errno syscall.Errno
}

func (f *Failure) Error() string { return f.Text }

// Unwrap gives errors.Is access to the errno.
func (f *Failure) Unwrap() error {
	if f.Errno == 0 {
		return nil
	}
	return f.Errno
}

func (c *codec) failure(f *Failure) {
	c.str(&f.Step)
	c.str(&f.Text)
	e := uint64(f.Errno)
	c.uvarint(&e)
	f.Errno = syscall.Errno(e)
}

// Encode returns the Failure as bytes.
func (f *Failure) Encode() []byte { return encode(nil, f, (*codec).failure) }

// Decode reads a Failure.
func (f *Failure) Decode(data []byte) error { return decode(data, f, (*codec).failure) }
