package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Triggers puts the ONBUILD instructions of a base in front of a stage's own. It is
// called once for a stage, when its base is known. A trigger can read a stage of this
// Dockerfile that nothing else needs.
func (p *Plan) Triggers(s *Stage, triggers []string) error {
	if s.triggered {
		return nil
	}
	s.triggered = true
	var commands []Command
	for _, text := range triggers {
		c, err := p.trigger(s, text)
		if err != nil {
			return p.At(fmt.Errorf("ONBUILD %s: %w", text, err), s.Location)
		}
		commands = append(commands, c)
	}
	s.Commands = append(commands, s.Commands...)
	return nil
}

func (p *Plan) trigger(s *Stage, text string) (Command, error) {
	file, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return Command{}, plain(err)
	}
	if len(file.AST.Children) != 1 {
		return Command{}, fmt.Errorf("a trigger is one instruction, not %d", len(file.AST.Children))
	}
	node := file.AST.Children[0]
	// The trigger has no line of its own here: it happens at the FROM.
	node.StartLine, node.EndLine = Lines(s.Location)
	c, err := instructions.ParseCommand(node)
	if err != nil {
		return Command{}, plain(err)
	}
	linked, err := p.command(s, c)
	linked.OnBuild = true
	return linked, err
}

// OnBuild are the triggers that a stage of this Dockerfile has for those that build
// on it.
func (s *Stage) OnBuild() []string {
	var list []string
	for _, c := range s.Commands {
		if on, ok := c.Command.(*instructions.OnbuildCommand); ok && !c.OnBuild {
			list = append(list, on.Expression)
		}
	}
	return list
}

// plain drops the position that an error of the parser carries.
func plain(err error) error {
	for {
		var located *parser.LocationError
		if !errors.As(err, &located) {
			return err
		}
		err = located.Unwrap()
	}
}
