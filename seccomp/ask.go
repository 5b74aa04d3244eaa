package seccomp

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"berth/internal/embedded"
)

// askProgram is Compile by the compiler program.
func askProgram(raw json.RawMessage) (*Program, error) {
	answer, err := ask(compileWord, raw)
	if err != nil {
		return nil, err
	}
	p := decodeEntry(sha256.Sum256(raw), answer)
	if p == nil {
		return nil, fmt.Errorf("linux.seccomp: the answer of %s is damaged", embedded.Compiler.Name)
	}
	return p, nil
}

// askNames is CheckNames by the compiler program.
func askNames(raw json.RawMessage) error {
	_, err := ask(namesWord, raw)
	return err
}

// ask runs the compiler program. It gets no environment: the profile is all that
// decides. What it says on standard error is a whole sentence.
func ask(word string, raw json.RawMessage) ([]byte, error) {
	if embedded.Compiler.Missing() {
		return nil, errDisabled
	}
	var said bytes.Buffer
	out, err := embedded.Compiler.Run(embedded.Call{
		Args: []string{embedded.Compiler.Name, word}, Env: []string{}, Stdin: bytes.NewReader(raw), Stderr: &said,
	})
	sentence := strings.TrimSpace(said.String())
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == refused && sentence != "":
		return nil, errors.New(sentence)
	case err != nil:
		return nil, fmt.Errorf("linux.seccomp: %s: %w", embedded.Compiler.Name, err)
	}
	return out, nil
}
