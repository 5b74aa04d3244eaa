package bundle

import (
	"errors"
	"fmt"
	"slices"

	"berth/image"
	"berth/internal/idmap"
	"berth/seccomp"
	"berth/specconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Options are the wishes of the user, which go before those of the image. The zero
// value has none.
type Options struct {
	// Args take the place of Cmd; Entrypoint, when not nil, that of Entrypoint and Cmd.
	Args, Entrypoint []string
	// Env are KEY=VALUE, added to the image's or taking the place of one.
	Env []string
	// User is USER[:GROUP], names or numbers; Cwd a directory. Empty: the image's.
	User, Cwd string
	Tty       bool
	Hostname  string
	// ReadOnly makes the root file system read-only, and the image's volumes tmpfs.
	ReadOnly bool
	// NewPrivileges lets files with the setuid bit or capabilities raise privileges.
	NewPrivileges bool
	// CapAdd and CapDrop change Docker's default capabilities: names with or without
	// CAP_, or ALL.
	CapAdd, CapDrop []string
	// NoSeccomp leaves Docker's default profile out.
	NoSeccomp bool
	// Binds are SRC:DST[:OPTIONS]. Net is host, none or empty for the default.
	Binds []string
	Net   string
	// Memory is a limit in bytes, CPUs a number of them, Pids of processes; 0: none.
	Memory int64
	CPUs   float64
	Pids   int64
	// UserNS is the user namespace of a container that a user makes, which needs no
	// privileges; nil: none.
	UserNS *UserNS

	// Files are the image's.
	Files Tree
	// VolumeDir makes directories, one for each volume of the image that is not a
	// directory in it, and returns their paths. nil: such volumes are left out.
	VolumeDir func(volume string) (string, error)
	// Note is told what of the image's wishes is left out. nil: nobody.
	Note func(string)
}

// UserNS are the maps of a user namespace; the first line is that of id 0.
type UserNS struct{ UIDs, GIDs []idmap.Map }

func (o *Options) note(format string, args ...any) {
	if o.Note != nil {
		o.Note(fmt.Sprintf(format, args...))
	}
}

// Spec returns the config.json for a container of the image.
func Spec(img *image.Config, o Options) (*specs.Spec, error) {
	args, err := command(img, &o)
	if err != nil {
		return nil, err
	}
	env, err := environment(img, &o)
	if err != nil {
		return nil, err
	}
	profile, err := profile(&o)
	if err != nil {
		return nil, err
	}
	t := specconv.TemplateOptions{
		Args: args, Binds: o.Binds, Memory: o.Memory, CPUs: o.CPUs, Net: o.Net, Seccomp: profile,
	}
	if u := o.UserNS; u != nil {
		t.Rootless, t.UIDs, t.GIDs = true, u.UIDs, u.GIDs
	}
	s, err := specconv.Template(t)
	if err != nil {
		return nil, err
	}
	// What is in it is as old as that, and crun before 1.9 knows no later one.
	s.Version = "1.0.2"
	p := s.Process
	p.Env, p.Terminal, p.NoNewPrivileges = env, o.Tty, !o.NewPrivileges
	if p.Cwd, err = workingDir(img, &o); err != nil {
		return nil, err
	}
	if p.User, err = user(img, &o); err != nil {
		return nil, err
	}
	if p.Capabilities, err = capabilities(&o, p.User.UID); err != nil {
		return nil, err
	}
	s.Root.Readonly = o.ReadOnly
	if o.Hostname != "" {
		s.Hostname = o.Hostname
	}
	if o.Pids > 0 {
		if s.Linux.Resources == nil {
			s.Linux.Resources = &specs.LinuxResources{}
		}
		s.Linux.Resources.Pids = &specs.LinuxPids{Limit: &o.Pids}
	}
	volumes, err := volumes(img, &o)
	if err != nil {
		return nil, err
	}
	s.Mounts = append(s.Mounts, volumes...)
	s.Annotations = annotations(img)
	return s, nil
}

func count(maps []idmap.Map) (ids uint32) {
	for _, m := range maps {
		ids += m.Size
	}
	return ids
}

// command is Entrypoint followed by Cmd (config.md), as far as the user does not say
// otherwise.
func command(img *image.Config, o *Options) ([]string, error) {
	entrypoint, cmd := img.Config.Entrypoint, img.Config.Cmd
	if o.Entrypoint != nil {
		entrypoint, cmd = slices.DeleteFunc(slices.Clone(o.Entrypoint), func(s string) bool { return s == "" }), nil
	}
	if len(o.Args) > 0 {
		cmd = o.Args
	}
	args := slices.Concat(entrypoint, cmd)
	if len(args) == 0 {
		return nil, errors.New("the image has no command: name one")
	}
	for _, a := range args {
		if hasNUL(a) {
			return nil, fmt.Errorf("command %q: it has a NUL byte", args)
		}
	}
	if args[0] == "" {
		return nil, fmt.Errorf("command %q: its first word is empty", args)
	}
	return args, nil
}

func profile(o *Options) (*specs.LinuxSeccomp, error) {
	if o.NoSeccomp {
		return nil, nil
	}
	return seccomp.Default()
}
