package libcontainer

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"berth/cgroups/manager"
	"berth/internal/idmap"
	"berth/internal/linux"
	"berth/libcontainer/configs"
	"berth/libcontainer/host"
	"berth/seccomp"
	"berth/specconv"

	"golang.org/x/sys/unix"
)

// ValidateOptions are the flags of validate.
type ValidateOptions struct {
	Bundle     string // default: the working directory
	ConfigFile string // default: config.json of the bundle
}

// validateID stands for the id that a bundle does not know.
const validateID = "validate"

// Validate says, without making anything, what of a bundle the specification
// forbids, what this host cannot do, and what would be ignored. The error is for
// files that cannot be read.
func (rt *Runtime) Validate(o ValidateOptions) ([]specconv.Finding, error) {
	bundle, err := filepath.Abs(o.Bundle)
	if err != nil {
		return nil, err
	}
	doc, err := specconv.Load(bundle, o.ConfigFile)
	var unreadable *os.PathError
	if errors.As(err, &unreadable) {
		return nil, err
	}
	if err != nil {
		// Text that is no config: nothing else can be said about it.
		return []specconv.Finding{specconv.NewFinding(err)}, nil
	}
	cfg, list := specconv.Check(doc, specconv.Options{
		ID:           validateID,
		Bundle:       bundle,
		CgroupDriver: rt.CgroupDriver,
		Rootless:     rt.Rootless,
	})
	if doc.Process == nil {
		list = append(list, specconv.Finding{Kind: specconv.Ignored, Path: "process", Message: "process: missing, the container can be created but not started"})
	}
	list = append(list, checkNamespaces(cfg)...)
	list = append(list, checkMaps(cfg)...)
	list = append(list, checkPrograms(cfg, doc)...)
	for _, check := range []func(*configs.Config) error{checkSeccomp, checkCgroup} {
		if err := check(cfg); err != nil {
			list = append(list, refusedByHost(err, doc))
		}
	}
	return list, nil
}

// refusedByHost is for errors of what knows the host only: unless the sentence
// blames a field of the profile it is the host that lacks something.
func refusedByHost(err error, doc *specconv.Document) specconv.Finding {
	f := specconv.NewFinding(err)
	if !strings.HasPrefix(f.Path, "linux.seccomp.") {
		f.Kind = specconv.Unsupported
	}
	if f.Path == "" && doc.Linux != nil && doc.Linux.CgroupsPath != "" {
		f.Path = "linux.cgroupsPath"
	}
	return f
}

// checkSeccomp compiles the profile; the cache is not touched.
func checkSeccomp(cfg *configs.Config) error {
	if len(cfg.Seccomp) == 0 {
		return nil
	}
	_, err := seccomp.Cached(cfg.Seccomp, "")
	return err
}

// checkCgroup asks the driver, which refuses before it makes anything.
func checkCgroup(cfg *configs.Config) error {
	_, err := manager.New(cfg.Cgroup)
	return err
}

// checkNamespaces asks for those to be made.
func checkNamespaces(cfg *configs.Config) []specconv.Finding {
	var list []specconv.Finding
	for i, ns := range cfg.Namespaces {
		if ns.Path != "" {
			continue
		}
		if f := host.Namespace(nsTypeName(ns.Type)); !f.OK {
			path := "linux.namespaces[" + strconv.Itoa(i) + "]"
			list = append(list, specconv.Finding{
				Kind: specconv.Unsupported, Path: path,
				Message: path + ": no " + f.Name + " namespace on this host: " + f.Reason,
			})
		}
	}
	return list
}

func nsTypeName(kind uintptr) string {
	switch kind {
	case linux.CLONE_NEWCGROUP:
		return "cgroup"
	case linux.CLONE_NEWIPC:
		return "ipc"
	case linux.CLONE_NEWNET:
		return "network"
	case linux.CLONE_NEWNS:
		return "mount"
	case linux.CLONE_NEWPID:
		return "pid"
	case linux.CLONE_NEWTIME:
		return "time"
	case linux.CLONE_NEWUSER:
		return "user"
	}
	return "uts"
}

// checkMaps looks for the helpers that an ordinary user needs for more than one id.
func checkMaps(cfg *configs.Config) []specconv.Finding {
	var list []specconv.Finding
	for _, m := range []struct {
		path, helper string
		maps         []configs.IDMap
		own          int
	}{
		{"linux.uidMappings", "newuidmap", cfg.UIDMappings, unix.Geteuid()},
		{"linux.gidMappings", "newgidmap", cfg.GIDMappings, unix.Getegid()},
	} {
		if len(m.maps) == 0 || !idmap.NeedsHelper(m.maps, m.own) {
			continue
		}
		if _, err := exec.LookPath(m.helper); err != nil {
			list = append(list, specconv.Finding{
				Kind: specconv.Unsupported, Path: m.path,
				Message: m.path + ": " + m.helper + "(1) is not in PATH, and without privileges only one's own id can be mapped without it",
			})
		}
	}
	return list
}

// strictError refuses what would be left out.
type strictError struct{ left []string }

func (e *strictError) Error() string { return "--strict: " + strings.Join(e.left, "; ") }

// strict turns warnings and unknown fields into an error.
func strict(cfg *configs.Config, doc *specconv.Document) error {
	left := cfg.Warnings
	for _, path := range specconv.UnknownFields(doc.Data) {
		left = append(left, "config.json: unknown field "+path)
	}
	if len(left) == 0 {
		return nil
	}
	return &strictError{left}
}
