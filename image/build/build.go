package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"berth/image"
	"berth/image/build/plan"
)

// builder is one build for one platform.
type builder struct {
	o        *Options
	plan     *plan.Plan
	platform image.Platform
	// root ends with the user's patience, and not when another step fails: what a
	// finished step has made is kept.
	root context.Context
	// tmp is a directory of the store's file system that goes away in the end, and
	// memory one below it that is a tmpfs: for what is small and goes with the step.
	tmp, memory string
	empty       *os.File
	// points is a layer of mount points, for the bottom of a container's root: any layer
	// above it that has one of them hides it.
	points *os.File
	slots  chan struct{}
	keeper *keeper

	mu     sync.Mutex
	stages map[*plan.Stage]*future

	background sync.WaitGroup
	steps      atomic.Int64
	cached     atomic.Int64
	sources    contexts
	exports    exports
	imported   []imported
	// repacked are blobs of layers that the image has in another compression.
	repacked map[*buildLayer]image.Descriptor
}

// Build builds for all platforms and gives the result its names.
func Build(ctx context.Context, o Options) (Result, error) {
	release, err := o.Store.Use(ctx)
	if err != nil {
		return Result{}, err
	}
	defer release()
	if len(o.Platforms) == 0 {
		o.Platforms = []image.Platform{image.HostPlatform()}
	}
	if o.Jobs <= 0 {
		o.Jobs = runtime.NumCPU()
	}
	if o.Context == nil {
		o.Context = &Context{}
	}
	o.sweep(ctx)
	tmp, err := os.MkdirTemp(filepath.Join(o.Store.Dir(), "tmp"), "build-")
	if err != nil {
		return Result{}, err
	}
	defer func() {
		if err := os.RemoveAll(tmp); err != nil && o.Warn != nil {
			o.Warn(fmt.Sprintf("remove %s: %v", tmp, err))
		}
	}()
	lock, err := hold(tmp)
	if err != nil {
		return Result{}, err
	}
	defer lock.Close()
	empty, err := makeDir(filepath.Join(tmp, "empty"))
	if err != nil {
		return Result{}, err
	}
	defer empty.Close()
	points, err := makePoints(filepath.Join(tmp, "points"))
	if err != nil {
		return Result{}, err
	}
	defer points.Close()
	memory, detach, err := makeMemory(filepath.Join(tmp, memoryName), "64m")
	if err != nil {
		return Result{}, err
	}
	defer func() {
		if err := detach(); err != nil && o.Warn != nil {
			o.Warn(err.Error())
		}
	}()
	keeper := &keeper{store: o.Store, root: ctx}
	var result Result
	slots := make(chan struct{}, o.Jobs)
	caches := o.importCaches(ctx)
	for _, p := range o.Platforms {
		b := &builder{o: &o, platform: p, root: ctx, tmp: tmp, memory: memory, empty: empty, points: points, slots: slots, keeper: keeper, imported: caches, stages: map[*plan.Stage]*future{}}
		built, err := b.platformImage(ctx)
		if err != nil {
			return result, err
		}
		result.Images = append(result.Images, built)
		result.Steps += int(b.steps.Load())
		result.Cached += int(b.cached.Load())
	}
	return result, o.publish(&result)
}

// makePoints makes the layer of mount points.
func makePoints(dir string) (*os.File, error) {
	for _, sub := range [...]string{"", "proc", "sys", "dev", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
		// Above the umask: the directories can become those of an image.
		if err := os.Chmod(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	for _, file := range [...]string{"etc/hosts", "etc/resolv.conf"} {
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o644); err != nil {
			return nil, err
		}
	}
	return os.Open(dir)
}

// platformImage builds the target for one platform.
func (b *builder) platformImage(ctx context.Context) (built Built, err error) {
	b.plan, err = plan.Parse(b.o.Dockerfile, plan.Options{
		Name: b.o.Name, BuildArgs: b.o.BuildArgs, Target: b.o.Target,
		Platform: b.platform, BuildPlatform: image.HostPlatform(), Contexts: b.contextNames(),
	})
	if err != nil {
		return built, err
	}
	// The first failure ends the other stages.
	stages, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer b.cleanUp()
	// What the other steps have made is worth something for the next build alone.
	defer func() {
		if e := b.keeper.flush(); e != nil && err == nil {
			b.warn(fmt.Sprintf("build cache: %v", e))
		}
	}()
	// Nothing works on layers any more when they are kept and the directory goes.
	defer b.background.Wait()
	s, err := b.stage(stages, cancel, b.plan.Target)
	if err != nil {
		return built, firstCause(stages, err)
	}
	for _, name := range b.plan.Unconsumed() {
		b.warn(fmt.Sprintf("--build-arg %s: no ARG %s asks for it", name, name))
	}
	return b.finish(ctx, s)
}

// firstCause is the error that has ended the stages, if err is only that they ended.
func firstCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		return cause
	}
	return err
}

func (b *builder) warn(text string) {
	if b.o.Warn != nil {
		b.o.Warn(text)
	}
}

func (b *builder) now() time.Time { return time.Now().UTC() }

// acquire takes one of the slots for work that keeps a processor busy.
func (b *builder) acquire(ctx context.Context) error {
	select {
	case b.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *builder) release() { <-b.slots }

func (b *builder) contextNames() map[string]string {
	names := make(map[string]string, len(b.o.Contexts))
	for name := range b.o.Contexts {
		names[name] = name
	}
	return names
}

// cleanUp closes what stages have opened.
func (b *builder) cleanUp() {
	b.sources.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.stages {
		if f.state == nil {
			continue
		}
		for _, l := range f.state.layers {
			if l.dir != nil {
				_ = l.dir.Close() // O_PATH
			}
		}
	}
}
