package build

import (
	"context"
	"fmt"
	"strings"

	"berth/image"
	"berth/image/build/display"
	"berth/image/build/plan"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// stageRun executes the instructions of one stage.
type stageRun struct {
	*builder
	*state
	cancel  context.CancelCauseFunc
	stage   *plan.Stage
	command *plan.Command
	total   int
	index   int
	noCache bool
	// packs: layers of this stage end up in the image, so that they are packed as soon
	// as they are there.
	packs bool
}

// runStage makes the state of a stage: its base, then one instruction after another.
func (b *builder) runStage(ctx context.Context, cancel context.CancelCauseFunc, s *plan.Stage) (*state, error) {
	base, err := b.base(ctx, cancel, s)
	if err != nil {
		return nil, b.plan.At(err, s.Location)
	}
	if s.Implied || s.Replaced {
		return base, nil
	}
	if err := b.plan.Triggers(s, base.triggers); err != nil {
		return nil, err
	}
	base.triggers = s.OnBuild()
	// What the commands read can run meanwhile.
	for _, t := range s.Reads() {
		b.start(ctx, cancel, t)
	}
	run := &stageRun{builder: b, state: base, cancel: cancel, stage: s, noCache: b.noCacheFor(s), packs: b.inTarget(s)}
	run.count()
	for i := range s.Commands {
		run.command = &s.Commands[i]
		if err := run.do(ctx, run.command.Command); err != nil {
			return nil, b.plan.At(err, run.command.Location())
		}
	}
	return run.state, nil
}

func (b *builder) noCacheFor(s *plan.Stage) bool {
	if b.o.NoCache {
		return true
	}
	for _, name := range b.o.NoCacheStages {
		if strings.EqualFold(name, s.Name) {
			return true
		}
	}
	return false
}

// inTarget tells whether a stage is the target or one that it builds on.
func (b *builder) inTarget(s *plan.Stage) bool {
	if b.o.CacheOnly || b.o.Squash {
		return false
	}
	for t := b.plan.Target; t != nil; t = t.Parent {
		if t == s {
			return true
		}
	}
	return false
}

// count numbers the steps that are shown: the base and what makes layers.
func (r *stageRun) count() {
	if r.stage.Parent == nil && r.stage.Base != plan.Scratch {
		r.total, r.index = 1, 1
	}
	for _, c := range r.stage.Commands {
		if makesLayer(c.Command) {
			r.total++
		}
	}
}

func makesLayer(c instructions.Command) bool {
	switch c.(type) {
	case *instructions.RunCommand, *instructions.CopyCommand, *instructions.AddCommand, *instructions.WorkdirCommand:
		return true
	}
	return false
}

// title is how a step is called: "[build 2/5] RUN make".
func (r *stageRun) title(text string) string {
	r.index++
	name := ""
	if len(r.plan.Stages) > 1 {
		name = r.stage.Label() + " "
	}
	if len(r.o.Platforms) > 1 {
		name = image.FormatPlatform(r.platform()) + " " + name
	}
	onbuild := ""
	if r.command.OnBuild {
		onbuild = "ONBUILD "
	}
	return fmt.Sprintf("[%s%*d/%d] %s%s", name, len(fmt.Sprint(r.total)), r.index, r.total, onbuild, text)
}

func (r *stageRun) platform() image.Platform { return r.state.platform }

// do executes one instruction.
func (r *stageRun) do(ctx context.Context, c instructions.Command) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := r.plan.Expand(c, r.env); err != nil {
		return err
	}
	switch c := c.(type) {
	case *instructions.ArgCommand:
		return r.arg(c)
	case *instructions.EnvCommand:
		return r.setEnv(c)
	case *instructions.LabelCommand:
		return r.label(c)
	case *instructions.MaintainerCommand:
		return r.maintainer(c)
	case *instructions.CmdCommand:
		return r.cmd(c)
	case *instructions.EntrypointCommand:
		return r.entrypoint(c)
	case *instructions.ExposeCommand:
		return r.expose(c)
	case *instructions.HealthCheckCommand:
		return r.healthcheck(c)
	case *instructions.OnbuildCommand:
		return r.onbuild(c)
	case *instructions.ShellCommand:
		return r.setShell(c)
	case *instructions.StopSignalCommand:
		return r.stopSignal(c)
	case *instructions.UserCommand:
		return r.user(c)
	case *instructions.VolumeCommand:
		return r.volume(c)
	case *instructions.WorkdirCommand:
		return r.workdir(ctx, c)
	case *instructions.CopyCommand:
		return r.copy(ctx, c)
	case *instructions.AddCommand:
		return r.add(ctx, c)
	case *instructions.RunCommand:
		return r.run(ctx, c)
	}
	return fmt.Errorf("instruction %s is not known", c.Name())
}

// change is a step that makes a layer.
type change struct {
	// text is the instruction for the display, history that for the image.
	text, history string
	// key is that of the state after the step.
	key string
	// alone: the step sees no layers below (COPY --link).
	alone bool
	// mounts: the step is a container.
	mounts bool
	do     func(ctx context.Context, w *workspace, v *display.Step) error
}

// apply finds the layer of a step in the cache or makes it.
func (r *stageRun) apply(ctx context.Context, c change) error {
	step := r.o.Display.Step(r.title(c.text))
	r.steps.Add(1)
	parent := r.top()
	if !r.noCache {
		if l, err := r.lookup(ctx, parent, c.key); err != nil {
			step.Fail(err)
			return err
		} else if l != nil {
			step.Cached()
			r.cached.Add(1)
			r.push(l, c)
			return nil
		}
	}
	l, err := r.make(ctx, parent, c, step)
	if err != nil {
		step.Fail(err)
		return err
	}
	step.Done()
	r.push(l, c)
	return nil
}

// lookup asks the cache. A parent that is still being settled was made just now; its
// digest decides whether a record fits, so it is waited for, if there is a record.
func (r *stageRun) lookup(ctx context.Context, parent *buildLayer, key string) (*buildLayer, error) {
	if parent != nil && !parent.isSettled() {
		if _, ok := r.readRecord(key); !ok {
			if rec, _ := r.recallImported(key); rec == nil {
				return nil, nil
			}
		}
		if err := parent.wait(ctx); err != nil {
			return nil, err
		}
	}
	return r.recall(parent, key), nil
}

func (r *stageRun) make(ctx context.Context, parent *buildLayer, c change, step *display.Step) (*buildLayer, error) {
	var below layerList
	if !c.alone {
		below = r.layers
	}
	handles, err := dirs(ctx, below)
	if err != nil {
		return nil, err
	}
	if c.alone && len(r.layers) > 0 {
		// Only its root looks like the one below.
		if handles, err = dirs(ctx, r.layers[len(r.layers)-1:]); err != nil {
			return nil, err
		}
	}
	w, err := r.workspaceOf(handles, c.alone, c.mounts)
	if err != nil {
		return nil, err
	}
	if err := c.do(ctx, w, step); err != nil {
		w.drop()
		return nil, err
	}
	return r.made(r.root, parent, w, &record{key: c.key, Step: c.text}, r.packs), nil
}

func (r *stageRun) top() *buildLayer {
	if len(r.layers) == 0 {
		return nil
	}
	return r.layers[len(r.layers)-1]
}

// push puts a layer on top of the stage.
func (r *stageRun) push(l *buildLayer, c change) {
	r.layers = append(r.layers[:len(r.layers):len(r.layers)], l)
	r.key = c.key
	r.exports.add(l)
	r.noteLayer(c.history)
}
