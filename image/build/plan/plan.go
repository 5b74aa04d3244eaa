package plan

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"berth/image"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Scratch is the name of the empty base.
const Scratch = "scratch"

// MaxDockerfile bounds a Dockerfile, in bytes.
const MaxDockerfile = 16 << 20

// Options say for what a Dockerfile is planned.
type Options struct {
	// Name is the Dockerfile in messages.
	Name string
	// BuildArgs are the values of --build-arg.
	BuildArgs map[string]string
	// Target is the name of the stage to build; empty: the last one.
	Target string
	// Platform is what is built for, BuildPlatform what is built on.
	Platform, BuildPlatform image.Platform
	// Contexts has the names of the additional contexts: one replaces a stage or an
	// image of its name.
	Contexts map[string]string
	// Lint receives the violations of buildkit's rules, if it is set.
	Lint *linter.Linter
}

// Plan is a Dockerfile whose stages are linked to each other.
type Plan struct {
	Name string
	// Raw is the text, for excerpts.
	Raw    []byte
	Escape rune
	// Stages are the ones that are written, in order. An image that COPY --from or
	// RUN --mount=from names is a stage, too, found in Sources alone.
	Stages []*Stage
	Target *Stage
	// Globals are the arguments in front of the first FROM and the platform's.
	Globals Env

	opts     Options
	byName   map[string]*Stage
	implied  map[string]*Stage
	mu       sync.Mutex
	consumed map[string]bool
}

// Stage is one FROM and the commands below it.
type Stage struct {
	// Name is what AS gave it, in lower case; empty for none.
	Name string
	// Index counts the FROM lines from 0 on.
	Index int
	// Base is what FROM names, after expansion.
	Base string
	// Parent is the earlier stage that Base names, or nil.
	Parent *Stage
	// Context is the named context that stands for the base, or for the whole stage
	// if its own name is overridden (Replaced).
	Context  string
	Replaced bool
	// Platform is set by FROM --platform.
	Platform *image.Platform
	Commands []Command
	// Source is the FROM line as it is written, Location where.
	Source   string
	Location []parser.Range
	// Implied marks an image that no FROM names.
	Implied bool

	triggered bool
}

// Command is an instruction of a stage with the stages that it reads.
type Command struct {
	instructions.Command
	// Sources: COPY has none or one, RUN one for each --mount, nil where that reads
	// no stage.
	Sources []*Stage
	// OnBuild marks a trigger of the base image.
	OnBuild bool
}

// Parse reads a Dockerfile.
func Parse(raw []byte, o Options) (*Plan, error) {
	p := &Plan{Name: o.Name, Raw: raw, opts: o, byName: map[string]*Stage{}, implied: map[string]*Stage{}, consumed: map[string]bool{}}
	if len(raw) > MaxDockerfile {
		return nil, fmt.Errorf("%s: %d bytes are above the limit of %d", o.Name, len(raw), MaxDockerfile)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, fmt.Errorf("%s: the Dockerfile is empty", o.Name)
	}
	file, err := parser.Parse(bytes.NewReader(raw))
	if err != nil {
		return nil, locate(o.Name, err, nil)
	}
	p.Escape = file.EscapeToken
	p.warnContinuations(file.Warnings)
	stages, globals, err := instructions.Parse(file.AST, o.Lint)
	if err != nil {
		return nil, locate(o.Name, err, nil)
	}
	if len(stages) == 0 {
		return nil, fmt.Errorf("%s: no FROM: a build starts from an image, a stage or scratch", o.Name)
	}
	target := o.Target
	if target == "" {
		target = stages[len(stages)-1].Name
	}
	p.Globals, err = p.globalArgs(platformArgs(o.BuildPlatform, o.Platform, target), p.lexer(), globals, o.BuildArgs)
	if err != nil {
		return nil, err
	}
	for i := range stages {
		if err := p.addStage(i, &stages[i]); err != nil {
			return nil, err
		}
	}
	return p, p.link(stages)
}

func (p *Plan) warnContinuations(warnings []parser.Warning) {
	for _, w := range warnings {
		if w.URL == linter.RuleNoEmptyContinuation.URL && w.Location != nil {
			p.opts.Lint.Run(&linter.RuleNoEmptyContinuation, []parser.Range{*w.Location}, linter.RuleNoEmptyContinuation.Format())
		}
	}
}

// addStage expands a FROM line. Only stages above it can be its base.
func (p *Plan) addStage(i int, in *instructions.Stage) error {
	s := &Stage{Name: strings.ToLower(in.Name), Index: i, Source: in.SourceCode, Location: in.Location}
	base, err := p.expandFrom(in.BaseName)
	if err != nil {
		return p.At(err, in.Location)
	}
	s.Base = base
	if in.Platform != "" {
		platform, err := p.expandPlatform(in.Platform)
		if err != nil {
			return p.At(err, in.Location)
		}
		s.Platform = &platform
	}
	p.bind(s)
	p.Stages = append(p.Stages, s)
	if s.Name != "" {
		p.byName[s.Name] = s
	}
	return nil
}

// bind finds what the base of a stage is: a named context, an earlier stage, or an
// image.
func (p *Plan) bind(s *Stage) {
	if name, ok := p.context(s.Name); ok {
		s.Context, s.Replaced = name, true
		return
	}
	if parent, ok := p.byName[strings.ToLower(s.Base)]; ok {
		s.Parent = parent
		return
	}
	if name, ok := p.context(s.Base); ok {
		s.Context = name
	}
}

// context finds an additional context by name; that of an image may be given short
// ("alpine") or in full.
func (p *Plan) context(name string) (string, bool) {
	if name == "" || strings.EqualFold(name, Scratch) || strings.EqualFold(name, "context") {
		return "", false
	}
	for have := range p.opts.Contexts {
		if strings.EqualFold(have, name) {
			return have, true
		}
	}
	full, err := image.ParseReference(name)
	if err != nil {
		return "", false
	}
	for have := range p.opts.Contexts {
		if ref, err := image.ParseReference(have); err == nil && ref.String() == full.String() {
			return have, true
		}
	}
	return "", false
}

func (p *Plan) expandFrom(word string) (string, error) {
	lex := p.lexer()
	out, err := lex.ProcessWordWithMatches(word, p.Globals)
	if err != nil {
		return "", err
	}
	if out.Result == "" {
		err := fmt.Errorf("FROM %s: the name of the base is empty", word)
		for name := range out.Unmatched {
			err = fmt.Errorf("FROM %s: no ARG %s in front of the first FROM", word, name)
			return "", near(err, name, p.Globals.Keys())
		}
		return "", err
	}
	return out.Result, nil
}

func (p *Plan) expandPlatform(word string) (image.Platform, error) {
	out, err := p.lexer().ProcessWordWithMatches(word, p.Globals)
	if err != nil {
		return image.Platform{}, err
	}
	if out.Result == "" {
		err := fmt.Errorf("FROM --platform=%s: the platform is empty", word)
		for name := range out.Unmatched {
			return image.Platform{}, near(err, name, p.Globals.Keys())
		}
		return image.Platform{}, err
	}
	platform, err := image.ParsePlatform(out.Result)
	if err != nil {
		return platform, fmt.Errorf("FROM --platform: %w", err)
	}
	return platform, nil
}

// link connects commands with the stages they read, and finds the target.
func (p *Plan) link(in []instructions.Stage) error {
	for i, s := range p.Stages {
		for _, c := range in[i].Commands {
			linked, err := p.command(s, c)
			if err != nil {
				return p.At(err, c.Location())
			}
			s.Commands = append(s.Commands, linked)
		}
	}
	if p.opts.Target == "" {
		p.Target = p.Stages[len(p.Stages)-1]
		return nil
	}
	target, ok := p.byName[strings.ToLower(p.opts.Target)]
	if index, err := strconv.Atoi(p.opts.Target); !ok && err == nil && index >= 0 && index < len(p.Stages) {
		target, ok = p.Stages[index], true
	}
	if !ok {
		return near(fmt.Errorf("%s: no stage %q", p.Name, p.opts.Target), p.opts.Target, p.Names())
	}
	p.Target = target
	return nil
}

// Names are the names of the stages, in order.
func (p *Plan) Names() []string {
	var names []string
	for _, s := range p.Stages {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// Label is how a stage is called in messages.
func (s *Stage) Label() string {
	if s.Name != "" {
		return s.Name
	}
	if s.Implied {
		return s.Base
	}
	return fmt.Sprintf("stage-%d", s.Index)
}

// ErrForward says that a stage is used above the place where it is defined.
var ErrForward = errors.New("the stage must be defined above the one that uses it")

func sortedKeys(m map[string]string) []string {
	return slices.Sorted(maps.Keys(m))
}
