package display

import (
	"fmt"
	"io"
	"strings"
)

// plain writes a line for each event, with the number of its step. Steps that run
// side by side are told apart by it; their name is written again when another has
// come between.
type plain struct {
	w    io.Writer
	last int
}

func (p *plain) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, format, args...) // progress is not worth failing for
}

func (p *plain) begin(s *Step) {
	p.last = s.number
	p.printf("#%d %s\n", s.number, oneLine(s.name))
}

func (p *plain) again(s *Step) {
	if p.last != s.number {
		p.printf("\n#%d %s\n", s.number, oneLine(s.name))
		p.last = s.number
	}
}

func (p *plain) line(s *Step, text []byte) {
	p.again(s)
	p.printf("#%d %.3f %s\n", s.number, s.seconds(), text)
}

func (p *plain) end(s *Step, how outcome, err error) {
	p.again(s)
	switch how {
	case cached:
		p.printf("#%d CACHED\n\n", s.number)
	case failed:
		p.printf("#%d ERROR: %s\n\n", s.number, sentence(err.Error()))
	default:
		p.printf("#%d DONE %.1fs\n\n", s.number, s.seconds())
	}
}

func (p *plain) warn(text string) { p.printf("WARN: %s\n", sentence(text)) }

func (p *plain) tick(bool) {}

// sentence is an error or warning on one line. It can quote an image, which may have
// put something into it that steers the terminal; the output of a command, on the
// other hand, is passed on as it is.
func sentence(text string) string {
	return printable([]byte(strings.ReplaceAll(text, "\n", "; ")))
}

// oneLine is the name of a step without its line ends.
func oneLine(name string) string {
	if !strings.ContainsAny(name, "\n\r\t") {
		return name
	}
	return strings.Join(strings.Fields(name), " ")
}
