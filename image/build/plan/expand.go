package plan

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// lexer is the word expander with the Dockerfile's escape character. A lexer is not
// safe for two goroutines, so each use makes one.
func (p *Plan) lexer() *shell.Lex { return shell.NewLex(p.Escape) }

// Expand replaces the variables in the words of a command, in place: it is called
// once, when the environment of the stage at that point is known. ARG is left to
// Arg, EXPOSE to Words, because they expand differently.
func (p *Plan) Expand(c instructions.Command, env Env) error {
	if _, isArg := c.(*instructions.ArgCommand); isArg {
		return nil
	}
	if e, ok := c.(instructions.SupportsSingleWordExpansion); ok {
		lex := p.lexer()
		err := e.Expand(func(word string) (string, error) {
			out, _, err := lex.ProcessWord(word, env)
			return out, err
		})
		if err != nil {
			return err
		}
	}
	// Here documents: quotes are text, the escape character is always the backslash.
	if e, ok := c.(instructions.SupportsSingleWordExpansionRaw); ok {
		lex := shell.NewLex('\\')
		lex.SkipProcessQuotes = true
		return e.ExpandRaw(func(word string) (string, error) {
			out, _, err := lex.ProcessWord(word, env)
			return out, err
		})
	}
	return nil
}

// Words expands a word that may become several.
func (p *Plan) Words(word string, env Env) ([]string, error) {
	return p.lexer().ProcessWords(word, env)
}

// Shown is a line of the Dockerfile for people: variables that are known are
// replaced, all else is kept as it is written.
func (p *Plan) Shown(line string, env Env) string {
	lex := p.lexer()
	lex.RawQuotes = true
	lex.RawEscapes = true
	lex.SkipUnsetEnv = true
	out, _, err := lex.ProcessWord(line, env)
	if err != nil {
		return line
	}
	return out
}
