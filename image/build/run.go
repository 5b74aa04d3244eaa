package build

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"berth/image/build/display"
	"berth/image/build/plan"
	"berth/image/build/tree"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// runStep is one RUN.
type runStep struct {
	r    *stageRun
	args []string
	// script is a here document that starts with #!: it is executed as a file.
	script     string
	scriptName string
	env        []string
	network    string
	insecure   bool
	mounts     []*instructions.Mount
	sources    []*plan.Stage
	title      string
}

// run executes a command on top of the stage.
func (r *stageRun) run(ctx context.Context, c *instructions.RunCommand) error {
	s, err := r.runStep(c)
	if err != nil {
		return err
	}
	key, err := s.key(ctx)
	if err != nil {
		return err
	}
	return r.apply(ctx, change{text: s.title, history: s.history(), key: key, mounts: true, do: s.do})
}

func (r *stageRun) runStep(c *instructions.RunCommand) (*runStep, error) {
	s := &runStep{r: r, mounts: instructions.GetMounts(c), sources: r.command.Sources, network: instructions.GetNetwork(c)}
	args := slices.Clone(c.CmdLine)
	title := c.String()
	if len(c.Files) > 0 {
		if len(args) != 1 || !c.PrependShell {
			return nil, errors.New("RUN: a here document needs the shell form")
		}
		first := c.Files[0]
		if doc := parser.MustParseHeredoc(args[0]); doc != nil {
			data := first.Data
			if first.Chomp {
				data = parser.ChompHeredocContent(data)
			}
			if strings.HasPrefix(data, "#!") {
				s.script, s.scriptName = data, filepath.Base(first.Name)
				args = []string{scriptDir + "/" + s.scriptName}
			} else {
				args = []string{data}
			}
			title += " (" + firstLine(first.Data) + ")"
		} else {
			args = []string{withDocuments(args[0], c.Files)}
		}
	}
	if c.PrependShell {
		args = append(r.shell(), strings.Join(args, " "))
	}
	s.args = args
	s.title = r.shown(title)
	s.env = r.env.List()
	s.insecure = instructions.GetSecurity(c) == instructions.SecurityInsecure
	if s.insecure && !r.o.Run.Insecure {
		return nil, errors.New("RUN --security=insecure: it is not allowed without --allow security.insecure")
	}
	return s, r.checkNetwork(s)
}

func (r *stageRun) checkNetwork(s *runStep) error {
	switch s.network {
	case instructions.NetworkDefault:
		s.network = r.o.Run.Network
	case instructions.NetworkHost:
		if r.o.Run.Network == "none" && !r.o.Run.HostNetwork {
			return errors.New("RUN --network=host: the build has --network=none; allow it with --allow network.host")
		}
	}
	if s.network == "" {
		s.network = "host"
	}
	return nil
}

// withDocuments writes here documents behind the line that uses them, for the shell.
func withDocuments(line string, files []instructions.ShellInlineFile) string {
	var b strings.Builder
	b.WriteString(line)
	for _, f := range files {
		b.WriteString("\n" + f.Data + f.Name)
	}
	return b.String()
}

func firstLine(doc string) string {
	doc = strings.TrimSpace(doc)
	line, rest, _ := strings.Cut(doc, "\n")
	if rest != "" {
		line += "..."
	}
	return strings.TrimRight(line, "\r")
}

// key covers what the command can see: arguments, environment, user, directory, and
// for each mount what it shows. Contents of caches and secrets are not part of it.
func (s *runStep) key(ctx context.Context) (string, error) {
	r := s.r
	var mounts []any
	for i, m := range s.mounts {
		var content any
		if m.Type == instructions.MountTypeBind {
			var err error
			if content, err = s.mountSum(ctx, i); err != nil {
				return "", err
			}
		}
		mounts = append(mounts, *m, content)
	}
	env := slices.DeleteFunc(slices.Clone(s.env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return plan.IsProxyArg(name) && !r.envOfImage(name)
	})
	cfg := r.config.Config
	return keyOf("run", r.key, s.args, s.script, env, cfg.User, cfg.WorkingDir, mounts, s.network, s.insecure, r.o.Run.Hosts, r.o.Run.ShmSize)
}

func (r *stageRun) envOfImage(name string) bool {
	_, ok := plan.EnvOf(r.config.Config.Env).Get(name)
	return ok
}

// history is the line that docker writes: the arguments of the stage, then the command.
func (s *runStep) history() string {
	var words []string
	seen := map[string]int{}
	for _, arg := range s.r.args {
		value, ok := s.r.env.Get(arg.Key)
		if !ok {
			value = arg.ValueString()
		}
		if plan.IsProxyArg(arg.Key) {
			continue
		}
		word := arg.Key + "=" + value
		if i, ok := seen[arg.Key]; ok {
			words[i] = word
			continue
		}
		seen[arg.Key] = len(words)
		words = append(words, word)
	}
	if len(words) > 0 {
		words = append([]string{fmt.Sprintf("|%d", len(words))}, words...)
	}
	return "RUN " + strings.Join(append(words, s.args...), " ") + " # buildkit"
}

// do runs the command in a bundle on the step's workspace.
func (s *runStep) do(ctx context.Context, w *workspace, step *display.Step) error {
	if err := s.r.canRun(); err != nil {
		return err
	}
	// Before a slot is taken, which their steps may need (of caches the key did not wait).
	for _, source := range s.sources {
		if source == nil {
			continue
		}
		if _, err := s.r.builder.stage(ctx, s.r.cancel, source); err != nil {
			return err
		}
	}
	if err := s.r.acquire(ctx); err != nil {
		return err
	}
	defer s.r.release()
	bundle, err := s.prepare(ctx, w)
	if err != nil {
		return err
	}
	defer bundle.close(s.r.builder)
	tail := &lastLines{next: step}
	exit, err := s.r.o.Runner.Run(ctx, bundle.dir, IO{Stdout: tail, Stderr: tail})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("RUN %s: %w", oneLine(s.args), err)
	case exit != 0:
		return &RunError{Command: oneLine(s.args), Exit: exit, Output: tail.String()}
	}
	return nil
}

// oneLine is a command for an error message.
func oneLine(args []string) string {
	text := strings.Join(args, " ")
	if len(args) == 3 && args[1] == "-c" {
		text = args[2]
	}
	text = strings.Join(strings.Fields(text), " ")
	const most = 200
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

// rootTree is what the step sees as its root.
func (b *builder) rootTree(w *workspace) *tree.Root {
	return &tree.Root{FD: w.view.fd(), OneOwner: b.o.OneOwner}
}
