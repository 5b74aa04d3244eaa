package seccomp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// maxProfile bounds what Serve reads; config.json is not larger.
const maxProfile = 16 << 20

// Serve is the compiler program: args are its arguments without the name, in has the
// profile, out takes the answer.
func Serve(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("berth-seccomp is started by berth alone")
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxProfile+1))
	if err != nil {
		return fmt.Errorf("read the profile: %w", err)
	}
	if len(raw) > maxProfile {
		return errors.New("linux.seccomp: larger than 16 MiB")
	}
	switch args[0] {
	case compileWord:
		p, err := Compile(raw)
		if err != nil {
			return err
		}
		_, err = out.Write(encodeEntry(sha256.Sum256(raw), p))
		return err
	case namesWord:
		return CheckNames(raw)
	}
	return fmt.Errorf("berth-seccomp: unknown word %q", args[0])
}
