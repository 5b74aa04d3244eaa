package plan

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"berth/image"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/util/suggest"
	"github.com/moby/patternmatcher"
)

// Violation is a rule of buildkit's linter that a Dockerfile does not keep.
type Violation struct {
	Rule        string `json:"ruleName"`
	Description string `json:"description"`
	URL         string `json:"url,omitempty"`
	Detail      string `json:"detail"`
	First       int    `json:"first"`
	Last        int    `json:"last"`
}

// CheckOptions say what is known about the world around a Dockerfile.
type CheckOptions struct {
	Options
	// Ignore are the patterns that hide files of the context.
	Ignore *patternmatcher.PatternMatcher
	// Base returns the environment and platform of a base image, if it is known. Where
	// it is not, no variable is called undefined.
	Base func(name string) (env []string, platform image.Platform, ok bool)
}

// Check reads a Dockerfile and applies buildkit's rules, those that its check
// directive does not skip. The error is the first fault that keeps it from being
// built. failed: the directive wants violations to be errors.
func Check(raw []byte, o CheckOptions) (list []Violation, failed bool, err error) {
	text, _, _, _ := parser.ParseDirective("check", raw)
	config, err := linter.ParseLintOptions(text)
	if err != nil {
		return nil, false, locate(o.Name, err, nil)
	}
	config.Warn = func(rule, description, url, detail string, where []parser.Range) {
		first, last := Lines(where)
		list = append(list, Violation{Rule: rule, Description: description, URL: url, Detail: detail, First: first, Last: last})
	}
	o.Lint = linter.New(config)
	c := &checker{o: o}
	err = c.run(raw)
	slices.SortStableFunc(list, func(a, b Violation) int { return a.First - b.First })
	return list, config.ReturnAsError && len(list) > 0, err
}

type checker struct {
	o    CheckOptions
	plan *Plan
	// envs are the environments at the end of stages that were looked at; a nil map
	// entry is one of which not all is known.
	envs map[*Stage]*stageEnv
}

type stageEnv struct {
	env     Env
	known   bool
	workdir bool
}

func (c *checker) run(raw []byte) error {
	p, err := Parse(raw, c.o.Options)
	if err != nil {
		return err
	}
	c.plan = p
	c.casing(raw)
	c.names()
	c.defaults(raw)
	c.envs = map[*Stage]*stageEnv{}
	for _, s := range p.Stages {
		if err := c.stage(s); err != nil {
			return err
		}
	}
	return nil
}

// stages parses once more, for what a plan does not keep: how words were written.
func (c *checker) stages(raw []byte) ([]instructions.Stage, []instructions.ArgCommand) {
	file, err := parser.Parse(strings.NewReader(string(raw)))
	if err != nil {
		return nil, nil
	}
	stages, globals, err := instructions.Parse(file.AST, nil)
	if err != nil {
		return nil, nil
	}
	return stages, globals
}

func (c *checker) casing(raw []byte) {
	stages, _ := c.stages(raw)
	lower, upper := 0, 0
	type word struct {
		text  string
		where []parser.Range
	}
	var words []word
	for _, s := range stages {
		words = append(words, word{s.OrigCmd, s.Location})
		for _, cmd := range s.Commands {
			words = append(words, word{cmd.Name(), cmd.Location()})
		}
	}
	for _, w := range words {
		switch w.text {
		case strings.ToLower(w.text):
			lower++
		case strings.ToUpper(w.text):
			upper++
		}
	}
	for _, w := range words {
		want, name := strings.ToUpper(w.text), "uppercase"
		if lower > upper {
			want, name = strings.ToLower(w.text), "lowercase"
		}
		if w.text != want {
			c.o.Lint.Run(&linter.RuleConsistentInstructionCasing, w.where, linter.RuleConsistentInstructionCasing.Format(w.text, name))
		}
	}
}

func (c *checker) names() {
	seen := map[string]bool{}
	for _, s := range c.plan.Stages {
		if s.Name == "" {
			continue
		}
		if s.Name == "context" || s.Name == Scratch {
			c.o.Lint.Run(&linter.RuleReservedStageName, s.Location, linter.RuleReservedStageName.Format(s.Name))
		}
		if seen[s.Name] {
			c.o.Lint.Run(&linter.RuleDuplicateStageName, s.Location, linter.RuleDuplicateStageName.Format(s.Name))
		}
		seen[s.Name] = true
	}
}

// defaults looks at FROM: its arguments, and whether it means something without
// --build-arg.
func (c *checker) defaults(raw []byte) {
	stages, globals := c.stages(raw)
	plain, err := (&Plan{Name: c.o.Name, Escape: c.plan.Escape, consumed: map[string]bool{}}).globalArgs(platformArgs(c.o.BuildPlatform, c.o.Platform, ""), c.plan.lexer(), globals, nil)
	if err != nil {
		return
	}
	declared := slices.Clone(c.plan.Globals.Keys())
	for i := range globals {
		for _, arg := range globals[i].Args {
			declared = append(declared, arg.Key)
		}
	}
	for i := range stages {
		s := &stages[i]
		if out, err := c.plan.lexer().ProcessWordWithMatches(s.BaseName, plain); err == nil {
			if _, err := image.ParseReference(out.Result); err != nil && out.Result != Scratch {
				c.o.Lint.Run(&linter.RuleInvalidDefaultArgInFrom, s.Location, linter.RuleInvalidDefaultArgInFrom.Format(s.BaseName))
			}
		}
		c.undeclared(s.BaseName, declared, s.Location)
		c.fromPlatform(s, declared)
	}
}

func (c *checker) undeclared(word string, declared []string, where []parser.Range) {
	out, err := c.plan.lexer().ProcessWordWithMatches(word, c.plan.Globals)
	if err != nil {
		return
	}
	for name := range out.Unmatched {
		if slices.Contains(declared, name) {
			continue
		}
		near, _ := suggest.Search(name, declared, true)
		c.o.Lint.Run(&linter.RuleUndefinedArgInFrom, where, linter.RuleUndefinedArgInFrom.Format(name, near))
	}
}

func (c *checker) fromPlatform(s *instructions.Stage, declared []string) {
	if s.Platform == "" {
		return
	}
	c.undeclared(s.Platform, declared, s.Location)
	out, err := c.plan.lexer().ProcessWordWithMatches(s.Platform, c.plan.Globals)
	if err != nil {
		return
	}
	if len(out.Matched)+len(out.Unmatched) == 0 {
		p, err := image.ParsePlatform(out.Result)
		if err == nil && !strings.Contains(s.Name, p.OS) && !strings.Contains(s.Name, p.Architecture) {
			c.o.Lint.Run(&linter.RuleFromPlatformFlagConstDisallowed, s.Location, linter.RuleFromPlatformFlagConstDisallowed.Format(out.Result))
		}
		return
	}
	target, _ := c.plan.Globals.Get("TARGETPLATFORM")
	if _, ok := out.Matched["TARGETPLATFORM"]; ok && len(out.Matched) == 1 && out.Result == target {
		c.o.Lint.Run(&linter.RuleRedundantTargetPlatform, s.Location, linter.RuleRedundantTargetPlatform.Format(s.Platform))
	}
}

// stage goes through the commands of a stage with what its environment would be.
func (c *checker) stage(s *Stage) error {
	e := c.base(s)
	c.envs[s] = e
	once := map[string][]parser.Range{}
	shell := false
	for i := range s.Commands {
		cmd := s.Commands[i].Command
		lint := c.o.Lint.WithMergedConfigFromComments(cmd.Comments())
		switch cmd := cmd.(type) {
		case *instructions.CmdCommand, *instructions.EntrypointCommand, *instructions.HealthCheckCommand:
			c.single(cmd, once, lint)
			c.jsonForm(cmd, shell, lint)
		case *instructions.ShellCommand:
			shell = true
		case *instructions.EnvCommand:
			for _, kv := range cmd.Env {
				c.keyValue(kv, cmd, "ENV", lint)
			}
		case *instructions.LabelCommand:
			for _, kv := range cmd.Labels {
				c.legacy(kv, cmd, lint)
			}
		case *instructions.ArgCommand:
			for _, arg := range cmd.Args {
				secretName("ARG", arg.Key, cmd, lint)
			}
		}
		if err := c.expand(e, cmd, lint); err != nil {
			return c.plan.At(err, cmd.Location())
		}
	}
	return nil
}

func (c *checker) base(s *Stage) *stageEnv {
	e := &stageEnv{}
	switch {
	case s.Parent != nil:
		if parent := c.envs[s.Parent]; parent != nil {
			*e = *parent
		}
	case s.Base == Scratch:
		e.known = true
	case c.o.Base != nil:
		env, platform, ok := c.o.Base(s.Base)
		e.env, e.known = EnvOf(env), ok
		want := c.o.Platform
		if s.Platform != nil {
			want = *s.Platform
		}
		if ok && !image.MatchPlatform(platform, want) {
			c.o.Lint.Run(&linter.RuleInvalidBaseImagePlatform, s.Location,
				linter.RuleInvalidBaseImagePlatform.Format(s.Base, image.FormatPlatform(want), image.FormatPlatform(platform)))
		}
	}
	if _, ok := e.env.Get("PATH"); !ok {
		e.env = e.env.With("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	return e
}

func (c *checker) single(cmd instructions.Command, once map[string][]parser.Range, lint *linter.Linter) {
	name := strings.ToUpper(cmd.Name())
	if where, ok := once[name]; ok {
		lint.Run(&linter.RuleMultipleInstructionsDisallowed, where, linter.RuleMultipleInstructionsDisallowed.Format(cmd.Name()))
	}
	once[name] = cmd.Location()
}

func (c *checker) jsonForm(cmd instructions.Command, shell bool, lint *linter.Linter) {
	prepend := false
	switch cmd := cmd.(type) {
	case *instructions.CmdCommand:
		prepend = cmd.PrependShell
	case *instructions.EntrypointCommand:
		prepend = cmd.PrependShell
	}
	if prepend && !shell {
		lint.Run(&linter.RuleJSONArgsRecommended, cmd.Location(), linter.RuleJSONArgsRecommended.Format(cmd.Name()))
	}
}

func (c *checker) keyValue(kv instructions.KeyValuePair, cmd instructions.Command, verb string, lint *linter.Linter) {
	c.legacy(kv, cmd, lint)
	secretName(verb, kv.Key, cmd, lint)
}

func (c *checker) legacy(kv instructions.KeyValuePair, cmd instructions.Command, lint *linter.Linter) {
	if kv.NoDelim {
		lint.Run(&linter.RuleLegacyKeyValueFormat, cmd.Location(), linter.RuleLegacyKeyValueFormat.Format(cmd.Name()))
	}
}

var secretWords = sync.OnceValues(func() (deny, allow *regexp.Regexp) {
	return regexp.MustCompile(`(?i)(^|_)(apikey|auth|credentials?|key|password|pword|passwd|secret|token)(_|$)`),
		regexp.MustCompile(`(?i)(^|_)(public|file|version)(_|$)`)
})

func secretName(verb, key string, cmd instructions.Command, lint *linter.Linter) {
	if deny, allow := secretWords(); deny.MatchString(key) && !allow.MatchString(key) {
		lint.Run(&linter.RuleSecretsUsedInArgOrEnv, cmd.Location(), linter.RuleSecretsUsedInArgOrEnv.Format(verb, key))
	}
}

// expand looks at the words of a command after expansion, and at what it does to the
// environment.
func (c *checker) expand(e *stageEnv, cmd instructions.Command, lint *linter.Linter) error {
	env := &watched{Env: e.env}
	if err := c.plan.expandWatched(cmd, env); err != nil {
		return err
	}
	if e.known {
		for _, name := range env.missing {
			near, _ := suggest.Search(name, e.env.Keys(), true)
			lint.Run(&linter.RuleUndefinedVar, cmd.Location(), linter.RuleUndefinedVar.Format(name, near))
		}
	}
	switch cmd := cmd.(type) {
	case *instructions.EnvCommand:
		for _, kv := range cmd.Env {
			e.env = e.env.With(kv.Key, kv.Value)
		}
	case *instructions.ArgCommand:
		for _, arg := range cmd.Args {
			value, err := c.plan.Arg(arg, e.env)
			if err != nil {
				return err
			}
			text := ""
			if value != nil {
				text = *value
			}
			e.env = e.env.With(arg.Key, text)
		}
	case *instructions.WorkdirCommand:
		if !e.workdir && !strings.HasPrefix(cmd.Path, "/") {
			lint.Run(&linter.RuleWorkdirRelativePath, cmd.Location(), linter.RuleWorkdirRelativePath.Format(cmd.Path))
		}
		e.workdir = true
	case *instructions.ExposeCommand:
		for _, port := range cmd.Ports {
			c.port(port, cmd, lint)
		}
	case *instructions.CopyCommand:
		if cmd.From == "" {
			c.ignored("Copy", cmd.SourcePaths, cmd, lint)
		}
	case *instructions.AddCommand:
		c.ignored("Add", cmd.SourcePaths, cmd, lint)
	}
	return nil
}

func (c *checker) port(port string, cmd instructions.Command, lint *linter.Linter) {
	if _, proto, ok := strings.Cut(port, "/"); ok && proto != strings.ToLower(proto) {
		lint.Run(&linter.RuleExposeProtoCasing, cmd.Location(), linter.RuleExposeProtoCasing.Format(port))
	}
	if strings.Contains(port, ":") {
		lint.Run(&linter.RuleExposeInvalidFormat, cmd.Location(), linter.RuleExposeInvalidFormat.Format(port))
	}
}

func (c *checker) ignored(verb string, sources []string, cmd instructions.Command, lint *linter.Linter) {
	if c.o.Ignore == nil || c.o.Ignore.Exclusions() {
		return
	}
	for _, src := range sources {
		name := strings.Trim(src, "/")
		if name == "" || name == "." || strings.Contains(src, "://") {
			continue
		}
		if hit, err := c.o.Ignore.MatchesOrParentMatches(name); err == nil && hit {
			lint.Run(&linter.RuleCopyIgnoredFile, cmd.Location(), linter.RuleCopyIgnoredFile.Format(verb, src))
		}
	}
}

// watched notes the variables that are asked for and not there.
type watched struct {
	Env
	missing []string
}

func (p *Plan) expandWatched(c instructions.Command, env *watched) error {
	if _, isArg := c.(*instructions.ArgCommand); isArg {
		return nil
	}
	note := func(names map[string]struct{}) {
		for name := range names {
			if !slices.Contains(env.missing, name) {
				env.missing = append(env.missing, name)
			}
		}
		slices.Sort(env.missing)
	}
	e, ok := c.(instructions.SupportsSingleWordExpansion)
	if !ok {
		return nil
	}
	lex := p.lexer()
	err := e.Expand(func(word string) (string, error) {
		out, missing, err := lex.ProcessWord(word, env)
		note(missing)
		return out, err
	})
	var located *parser.LocationError
	if errors.As(err, &located) {
		return plain(err)
	}
	return err
}
