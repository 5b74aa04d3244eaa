package plan

import (
	"strings"

	"berth/image"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// platformArgs are the arguments that every build has in its global scope. A stage
// sees one after it has declared it with ARG.
func platformArgs(build, target image.Platform, stage string) Env {
	if stage == "" {
		stage = "default"
	}
	e := Env{}
	for _, kv := range [...][2]string{
		{"BUILDPLATFORM", image.FormatPlatform(build)},
		{"BUILDOS", build.OS},
		{"BUILDOSVERSION", build.OSVersion},
		{"BUILDARCH", build.Architecture},
		{"BUILDVARIANT", build.Variant},
		{"TARGETPLATFORM", image.FormatPlatform(target)},
		{"TARGETOS", target.OS},
		{"TARGETOSVERSION", target.OSVersion},
		{"TARGETARCH", target.Architecture},
		{"TARGETVARIANT", target.Variant},
		{"TARGETSTAGE", stage},
	} {
		e = e.With(kv[0], kv[1])
	}
	return e
}

// IsProxyArg tells the arguments that RUN sees without ARG and that neither history
// nor cache know.
func IsProxyArg(name string) bool {
	switch strings.ToLower(name) {
	case "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy":
		return true
	}
	return false
}

// globalArgs gives the ARGs in front of the first FROM their values.
func (p *Plan) globalArgs(base Env, lex *shell.Lex, commands []instructions.ArgCommand, values map[string]string) (Env, error) {
	for k := range values {
		if _, ok := base.Get(k); ok {
			base = base.With(k, values[k])
		}
	}
	for i := range commands {
		for _, arg := range commands[i].Args {
			value := arg.Value
			if given, ok := values[arg.Key]; ok {
				value = &given
				p.consumed[arg.Key] = true
			} else if value != nil {
				word, _, err := lex.ProcessWord(*value, base)
				if err != nil {
					return base, p.At(err, commands[i].Location())
				}
				value = &word
			}
			if value != nil {
				base = base.With(arg.Key, *value)
			}
		}
	}
	return base, nil
}

// Arg is the value of one argument that an ARG command in a stage declares: the one
// given for the build, else the default after expansion in env, else the global one.
// nil means that it is declared and has no value.
func (p *Plan) Arg(arg instructions.KeyValuePairOptional, env Env) (*string, error) {
	if given, ok := p.opts.BuildArgs[arg.Key]; ok {
		p.mu.Lock()
		p.consumed[arg.Key] = true
		p.mu.Unlock()
		return &given, nil
	}
	if arg.Value != nil {
		word, _, err := p.lexer().ProcessWord(*arg.Value, env)
		if err != nil {
			return nil, err
		}
		return &word, nil
	}
	if v, ok := p.Globals.Get(arg.Key); ok {
		return &v, nil
	}
	return nil, nil
}

// Unconsumed are the build arguments that no ARG asked for, in order. It is complete
// when all stages have run.
func (p *Plan) Unconsumed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, k := range sortedKeys(p.opts.BuildArgs) {
		if !p.consumed[k] && !IsProxyArg(k) && k != "SOURCE_DATE_EPOCH" && !strings.HasPrefix(k, "BUILDKIT_") {
			names = append(names, k)
		}
	}
	return names
}
