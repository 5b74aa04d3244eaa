package build

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"berth/image"
	"berth/image/build/plan"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// The instructions that change the configuration alone.

func (r *stageRun) setEnv(c *instructions.EnvCommand) error {
	text := "ENV"
	for _, kv := range c.Env {
		text += " " + kv.String()
		r.env = r.env.With(kv.Key, kv.Value)
		r.config.Config.Env = plan.EnvOf(r.config.Config.Env).With(kv.Key, kv.Value).List()
	}
	r.note(text)
	return nil
}

func (r *stageRun) arg(c *instructions.ArgCommand) error {
	var words []string
	for _, arg := range c.Args {
		value, err := r.plan.Arg(arg, r.env)
		if err != nil {
			return err
		}
		arg.Value = value
		r.args = append(r.args, arg)
		word := arg.Key
		if value != nil {
			r.env = r.env.With(arg.Key, *value)
			word += "=" + *value
		}
		words = append(words, word)
	}
	r.note("ARG " + strings.Join(words, " "))
	return nil
}

func (r *stageRun) label(c *instructions.LabelCommand) error {
	text := "LABEL"
	labels := maps.Clone(r.config.Config.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	for _, kv := range c.Labels {
		labels[kv.Key] = kv.Value
		text += " " + kv.String()
	}
	r.config.Config.Labels = labels
	r.note(text)
	return nil
}

func (r *stageRun) maintainer(c *instructions.MaintainerCommand) error {
	r.config.Author = c.Maintainer
	r.note("MAINTAINER " + c.Maintainer)
	return nil
}

// commandLine is what CMD and ENTRYPOINT keep: in shell form with the shell.
func (r *stageRun) commandLine(c instructions.ShellDependantCmdLine) []string {
	if !c.PrependShell {
		return c.CmdLine
	}
	return append(r.shell(), strings.Join(c.CmdLine, " "))
}

func (r *stageRun) cmd(c *instructions.CmdCommand) error {
	r.config.Config.Cmd = r.commandLine(c.ShellDependantCmdLine)
	r.config.Config.ArgsEscaped = true //nolint:staticcheck // deprecated, and still written by docker
	r.cmdSet = true
	r.note(fmt.Sprintf("CMD %q", r.config.Config.Cmd))
	return nil
}

// entrypoint drops the CMD of the base: its arguments are not for this program.
func (r *stageRun) entrypoint(c *instructions.EntrypointCommand) error {
	r.config.Config.Entrypoint = r.commandLine(c.ShellDependantCmdLine)
	if !r.cmdSet {
		r.config.Config.Cmd = nil
	}
	r.note(fmt.Sprintf("ENTRYPOINT %q", r.config.Config.Entrypoint))
	return nil
}

func (r *stageRun) expose(c *instructions.ExposeCommand) error {
	var ports []string
	for _, word := range c.Ports {
		words, err := r.plan.Words(word, r.env)
		if err != nil {
			return err
		}
		for _, w := range words {
			list, err := ParsePorts(w)
			if err != nil {
				return err
			}
			ports = append(ports, list...)
		}
	}
	exposed := maps.Clone(r.config.Config.ExposedPorts)
	if exposed == nil {
		exposed = map[string]struct{}{}
	}
	for _, p := range ports {
		exposed[p] = struct{}{}
	}
	r.config.Config.ExposedPorts = exposed
	r.note(fmt.Sprintf("EXPOSE %v", ports))
	return nil
}

func (r *stageRun) healthcheck(c *instructions.HealthCheckCommand) error {
	h := image.Healthcheck{
		Test: c.Health.Test, Interval: c.Health.Interval, Timeout: c.Health.Timeout,
		StartPeriod: c.Health.StartPeriod, StartInterval: c.Health.StartInterval, Retries: c.Health.Retries,
	}
	r.config.Config.Healthcheck = &h
	r.note(fmt.Sprintf("HEALTHCHECK %+v", h))
	return nil
}

// onbuild keeps the trigger for images that are built on this one.
func (r *stageRun) onbuild(c *instructions.OnbuildCommand) error {
	r.config.Config.OnBuild = append(slices.Clone(r.config.Config.OnBuild), c.Expression)
	return nil
}

func (r *stageRun) setShell(c *instructions.ShellCommand) error {
	r.config.Config.Shell = c.Shell
	r.note(fmt.Sprintf("SHELL %v", c.Shell))
	return nil
}

func (r *stageRun) stopSignal(c *instructions.StopSignalCommand) error {
	if !isSignal(c.Signal) {
		return fmt.Errorf("STOPSIGNAL %s: no such signal", c.Signal)
	}
	r.config.Config.StopSignal = c.Signal
	r.note("STOPSIGNAL " + c.Signal)
	return nil
}

func (r *stageRun) user(c *instructions.UserCommand) error {
	r.config.Config.User = c.User
	r.note("USER " + c.User)
	return nil
}

func (r *stageRun) volume(c *instructions.VolumeCommand) error {
	volumes := maps.Clone(r.config.Config.Volumes)
	if volumes == nil {
		volumes = map[string]struct{}{}
	}
	for _, v := range c.Volumes {
		if v == "" {
			return errors.New("VOLUME: the path is empty")
		}
		volumes[v] = struct{}{}
	}
	r.config.Config.Volumes = volumes
	r.note(fmt.Sprintf("VOLUME %v", c.Volumes))
	return nil
}
