package plan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// command links an instruction of a stage to the stages that it reads.
func (p *Plan) command(s *Stage, c instructions.Command) (Command, error) {
	switch c := c.(type) {
	case *instructions.CopyCommand:
		return p.copyCommand(s, c)
	case *instructions.RunCommand:
		return p.runCommand(s, c)
	}
	return Command{Command: c}, nil
}

func (p *Plan) copyCommand(s *Stage, c *instructions.CopyCommand) (Command, error) {
	if c.From == "" {
		return Command{Command: c}, nil
	}
	out, _, err := p.lexer().ProcessWord(c.From, shell.EnvsFromSlice(nil))
	if err != nil {
		return Command{}, err
	}
	if out != c.From {
		return Command{}, errors.New("COPY --from: variables are not expanded here: name the stage by a FROM with an ARG of the global scope")
	}
	if index, err := strconv.Atoi(c.From); err == nil {
		if index < 0 || index >= len(p.Stages) {
			return Command{}, fmt.Errorf("COPY --from=%d: the Dockerfile has %d stages, counted from 0", index, len(p.Stages))
		}
		return p.sourced(s, c, p.Stages[index])
	}
	return p.sourced(s, c, p.named(c.From, c.Location()))
}

func (p *Plan) sourced(s *Stage, c instructions.Command, source *Stage) (Command, error) {
	if !source.Implied && source.Index >= s.Index && !source.Replaced {
		return Command{}, fmt.Errorf("stage %q: %w", source.Label(), ErrForward)
	}
	return Command{Command: c, Sources: []*Stage{source}}, nil
}

func (p *Plan) runCommand(s *Stage, c *instructions.RunCommand) (Command, error) {
	out := Command{Command: c}
	for _, m := range instructions.GetMounts(c) {
		if m.From == "" {
			out.Sources = append(out.Sources, nil)
			continue
		}
		source := p.named(m.From, c.Location())
		if !source.Implied && source.Index >= s.Index && !source.Replaced {
			return Command{}, fmt.Errorf("RUN --mount from=%s: %w", m.From, ErrForward)
		}
		out.Sources = append(out.Sources, source)
	}
	return out, nil
}

// named is the stage of a name, or the image that the name means.
func (p *Plan) named(name string, where []parser.Range) *Stage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.byName[strings.ToLower(name)]; ok {
		return s
	}
	if s, ok := p.implied[name]; ok {
		return s
	}
	s := &Stage{Base: name, Index: -1, Implied: true, Location: where, Source: "FROM " + name}
	if ctx, ok := p.context(name); ok {
		s.Context = ctx
	}
	p.implied[name] = s
	return s
}

// Reads are the stages that s needs before it can be finished: its parent and what
// its commands copy or mount from, each once.
func (s *Stage) Reads() []*Stage {
	var list []*Stage
	seen := map[*Stage]bool{}
	add := func(t *Stage) {
		if t != nil && !seen[t] {
			seen[t] = true
			list = append(list, t)
		}
	}
	if s.Replaced {
		return nil
	}
	add(s.Parent)
	for _, c := range s.Commands {
		for _, t := range c.Sources {
			add(t)
		}
	}
	return list
}

// Needed are the stages that the target needs, itself included.
func (p *Plan) Needed() map[*Stage]bool {
	needed := map[*Stage]bool{}
	var visit func(*Stage)
	visit = func(s *Stage) {
		if needed[s] {
			return
		}
		needed[s] = true
		for _, t := range s.Reads() {
			visit(t)
		}
	}
	visit(p.Target)
	return needed
}
