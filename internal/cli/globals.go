package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"berth/internal/command"
	"berth/internal/idmap"
	"berth/internal/imageside"
	"berth/libcontainer"
	"berth/libcontainer/state"

	"github.com/urfave/cli/v2"
)

const defaultRoot = "/run/berth"

func globalFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "root", Aliases: []string{"r"}, Usage: "keep containers' state in `DIR` (default: " + defaultRoot + ", for users $XDG_RUNTIME_DIR/berth)"},
	}
	flags = append(append(flags, command.StoreFlag()), command.LogFlags()...)
	return append(flags,
		&cli.BoolFlag{Name: "systemd-cgroup", Aliases: []string{"s"}, DisableDefaultText: true, Usage: "let systemd make cgroups; cgroupsPath is slice:prefix:name"},
		&cli.StringFlag{Name: "cgroup-manager", Usage: "who makes cgroups: `MANAGER` is cgroupfs, systemd or disabled (default: cgroupfs)"},
		&cli.StringFlag{Name: "rootless", Value: "auto", Usage: "do without cgroups that may not be made: `WHEN` is true, false or auto", DefaultText: "auto"},
		&cli.BoolFlag{Name: "posix-exit", DisableDefaultText: true, Usage: "exit as a shell does when a container's command is not there (127) or cannot be executed (126)"},
		&cli.BoolFlag{Name: "systemd-log", Hidden: true}, // youki's
	)
}

// setUp turns the global flags into the Runtime and the log, before any verb.
func (b *berth) setUp(c *cli.Context) error {
	if !c.Args().Present() {
		return nil
	}
	l, err := command.NewLog(c)
	if err != nil {
		return err
	}
	b.log, b.posixExit = l, c.Bool("posix-exit")
	rt := &libcontainer.Runtime{Log: l, RemoveAsRoot: imageside.Discard}
	if err := setRoot(rt, c.String("root"), c.IsSet("root")); err != nil {
		return err
	}
	if rt.CgroupDriver, err = cgroupDriver(c.String("cgroup-manager"), c.Bool("systemd-cgroup")); err != nil {
		return err
	}
	if rt.Rootless, err = rootless(c.String("rootless"), c.Bool("systemd-cgroup")); err != nil {
		return err
	}
	b.rt = rt
	return nil
}

// setRoot decides where the containers are.
func setRoot(rt *libcontainer.Runtime, root string, given bool) error {
	if !given {
		rt.Root = defaultRoot
		// podman sets the variable to the empty string.
		if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && !hostRoot() {
			rt.Root, rt.StickyRoot = filepath.Join(dir, "berth"), true
		}
	} else if root != "" {
		abs, err := filepath.Abs(root)
		if err != nil {
			return fmt.Errorf("--root %s: %w", root, err)
		}
		rt.Root = abs
	}
	if err := state.CheckRoot(rt.Root); err != nil {
		return fmt.Errorf("--root %q: %w", root, err)
	}
	return nil
}

func cgroupDriver(manager string, systemd bool) (string, error) {
	switch manager {
	case "cgroupfs", "systemd", "disabled":
		return manager, nil // podman adds "disabled" to --systemd-cgroup
	case "":
		if systemd {
			return "systemd", nil
		}
		return "cgroupfs", nil
	}
	return "", fmt.Errorf("--cgroup-manager %q: not cgroupfs, systemd or disabled", manager)
}

// rootless tells whether missing permissions for cgroups are accepted. Unless
// said otherwise a user's are, and those of a user namespace's root, except if
// systemd is asked, which decides by itself.
func rootless(flag string, systemd bool) (bool, error) {
	if flag != "auto" && flag != "" {
		is, err := strconv.ParseBool(flag)
		if err != nil {
			return false, fmt.Errorf("--rootless %q: not true, false or auto", flag)
		}
		return is, nil
	}
	if os.Geteuid() != 0 {
		return true, nil
	}
	return !systemd && idmap.Inside(), nil
}

// hostRoot tells whether berth may write to /run. Root of a user namespace may
// not, unless somebody pretends otherwise with USER=root, as buildah does for the
// commands it runs.
func hostRoot() bool {
	if os.Geteuid() != 0 {
		return false
	}
	return os.Getenv("USER") == "root" || !idmap.Inside()
}
