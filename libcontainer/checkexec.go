package libcontainer

import (
	"path"
	"strconv"
	"strings"

	"berth/internal/safepath"
	"berth/libcontainer/configs"
	"berth/libcontainer/creds"
	"berth/libcontainer/wire"
	"berth/specconv"

	"golang.org/x/sys/unix"
)

// checkPrograms looks for the container's program and for hooks, as far as that can
// be known before anything is mounted.
func checkPrograms(cfg *configs.Config, doc *specconv.Document) []specconv.Finding {
	var list []specconv.Finding
	for _, h := range []struct {
		kind  string
		hooks []wire.Hook
	}{
		{"prestart", cfg.Hooks.Prestart}, {"createRuntime", cfg.Hooks.CreateRuntime}, {"createContainer", cfg.Hooks.CreateContainer},
		{"poststart", cfg.Hooks.Poststart}, {"poststop", cfg.Hooks.Poststop},
	} {
		list = append(list, checkHooks(h.kind, h.hooks, -1, nil)...)
	}
	root, err := unix.Open(cfg.Plan.Rootfs.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil || cfg.Plan.Rootfs.Path == "" {
		return list // said already
	}
	defer unix.Close(root)
	covered := mountedOver(root, cfg.Plan.Rootfs.Mounts)
	list = append(list, checkHooks("startContainer", cfg.Hooks.StartContainer, root, covered)...)
	if doc.Process == nil || len(doc.Process.Args) == 0 {
		return list
	}
	name := doc.Process.Args[0]
	if strings.Contains(name, "/") && !path.IsAbs(name) {
		name = path.Join(doc.Process.Cwd, name)
	}
	return append(list, notExecutable("process.args[0]", root, name, doc.Process.Env, covered)...)
}

func checkHooks(kind string, hooks []wire.Hook, root int, covered func(string) bool) []specconv.Finding {
	var list []specconv.Finding
	for i, h := range hooks {
		if path.IsAbs(h.Path) { // else it is a fault already
			list = append(list, notExecutable("hooks."+kind+"["+strconv.Itoa(i)+"].path", root, h.Path, nil, covered)...)
		}
	}
	return list
}

func notExecutable(field string, root int, name string, env []string, covered func(string) bool) []specconv.Finding {
	fault, found := creds.Check(root, name, env, covered)
	if fault == "" {
		return nil
	}
	f := specconv.Finding{Kind: specconv.Unsupported, Path: field, Message: field + ": " + fault}
	if !found {
		f.Kind = specconv.Missing
	}
	return []specconv.Finding{f}
}

// mountedOver tells of a path whether something will be mounted on it or on one of
// its directories, symlinks of the root file system followed as far as they exist.
func mountedOver(root int, mounts []wire.Mount) func(string) bool {
	var covered func(name string, links int) bool
	covered = func(name string, links int) bool {
		for i := range mounts {
			point := path.Clean("/" + mounts[i].Destination)
			if point == "/" || name == point || strings.HasPrefix(name, point+"/") {
				return true
			}
		}
		next, ok := followFirst(root, name)
		return ok && links < 40 && covered(next, links+1)
	}
	return func(name string) bool { return covered(path.Clean("/"+name), 0) }
}

// followFirst replaces the first component of name that is a symlink by its target.
func followFirst(root int, name string) (string, bool) {
	for end := 1; end <= len(name); end++ {
		if end < len(name) && name[end] != '/' {
			continue
		}
		fd, err := safepath.OpenInRoot(root, name[:end], unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)
		if err != nil {
			return "", false
		}
		var target [unix.PathMax]byte
		n, err := unix.Readlinkat(fd, "", target[:])
		unix.Close(fd)
		if err != nil {
			continue // no symlink
		}
		to := string(target[:n])
		if !path.IsAbs(to) {
			to = path.Dir(name[:end]) + "/" + to
		}
		return path.Clean("/" + to + name[end:]), true
	}
	return "", false
}
