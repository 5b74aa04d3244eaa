package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// stream is what a machine says on its port: the output of the test binary for each
// mode, between lines that guest/run puts around it:
//
//	@@vm boot TEXT
//	@@vm begin MODE
//	(output of the tests, as of -test.v=test2json)
//	@@vm end MODE STATUS SECONDS
//	(logs of the kernel and systemd, if the tests failed)
//	@@vm closed MODE
type stream struct {
	boot     boot
	kernel   string
	verbose  bool
	subtests map[string][]string // that each mode has to run
	done     func(*results)

	current *results // between begin and closed
	ended   bool     // past end
	tests   bytes.Buffer
	closed  int
}

// read reads to the end of what the machine says.
func (s *stream) read(ctx context.Context, r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if s.verbose {
			fmt.Fprint(os.Stderr, strings.TrimPrefix(line, "\x16"))
		}
		if words := strings.Fields(line); len(words) > 2 && words[0] == "@@vm" {
			if err := s.mark(ctx, words[1], words[2:]); err != nil {
				return err
			}
		} else {
			s.keep(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *stream) keep(line string) {
	switch {
	case s.current != nil && s.ended:
		s.current.log.WriteString(line)
	case s.current != nil:
		s.tests.WriteString(line)
	}
}

func (s *stream) mark(ctx context.Context, word string, args []string) error {
	switch word {
	case "boot":
		fmt.Fprintf(os.Stderr, "vm: %s: %s\n", s.boot.name, strings.Join(args, " "))
	case "begin":
		s.tests.Reset()
		s.current = newResults(s.boot, args[0], s.kernel)
		s.current.subtests = s.subtests[args[0]]
	case "end":
		if s.current == nil || len(args) != 3 {
			return fmt.Errorf("unexpected end of %v", args)
		}
		var err error
		if s.current.status, err = strconv.Atoi(args[1]); err != nil {
			return err
		}
		if s.current.seconds, err = strconv.Atoi(args[2]); err != nil {
			return err
		}
		s.ended = true
	case "closed":
		if s.current == nil {
			return fmt.Errorf("unexpected end of %v", args)
		}
		s.closed++
		return s.close(ctx)
	}
	return nil
}

// close hands out the results of the mode.
func (s *stream) close(ctx context.Context) error {
	if err := s.current.count(ctx, &s.tests); err != nil {
		return err
	}
	s.done(s.current)
	s.current, s.ended = nil, false
	return nil
}

// breakOff hands out what there is of a mode in which the machine ended.
func (s *stream) breakOff() error {
	if s.current == nil {
		return nil
	}
	if !s.ended {
		s.current.status = -1
	}
	return s.close(context.Background())
}

// complete says that all modes were seen to their end.
func (s *stream) complete() bool { return s.closed == len(s.boot.modes) }
