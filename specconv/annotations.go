package specconv

import (
	"path/filepath"
	"slices"
	"strings"

	"berth/cgroups/cgfile"
)

// Annotations that change what berth does. crun's keep their names and meaning.
const (
	// KeepGroups leaves processes the supplementary groups of berth's caller: how a file
	// system that a group owns stays reachable without root.
	annotationKeepGroups   = "run.oci.keep_original_groups"
	annotationHooksStdout  = "run.oci.hooks.stdout"
	annotationHooksStderr  = "run.oci.hooks.stderr"
	annotationMountContext = "run.oci.mount_context_type"
	// FailUnknownSyscall refuses seccomp profiles with names libseccomp does not know.
	annotationFailUnknownSyscall = "run.oci.seccomp_fail_unknown_syscall"
	annotationPidfdReceiver      = "run.oci.pidfd_receiver"
	// Subgroup is a cgroup below the systemd unit's for the container, DelegateCgroup
	// one below the container's for it to manage.
	annotationSubgroup       = "run.oci.systemd.subgroup"
	annotationDelegateCgroup = "run.oci.delegate-cgroup"
	// Landlock holds a Landlock ruleset as JSON, see landlock.go.
	annotationLandlock = "io.berth.landlock"
)

// unsafeAnnotations are those features lists: whoever may set them decides about
// more than words. Those that end in a dot are prefixes.
var unsafeAnnotations = [...]string{
	annotationLandlock,
	"org.criu.config",
	"org.systemd.property.",
	annotationHooksStderr,
	annotationHooksStdout,
	annotationKeepGroups,
	annotationMountContext,
	annotationPidfdReceiver,
	annotationFailUnknownSyscall,
	annotationDelegateCgroup,
	annotationSubgroup,
}

// notCarriedOut are annotations of crun that would make it run something else or
// elsewhere, and that mean nothing to berth.
var notCarriedOut = [...]string{
	"run.oci.handler",
	"run.oci.seccomp.receiver",
	"run.oci.seccomp.plugins",
	"run.oci.seccomp_bpf_data",
	"run.oci.systemd.force_cgroup_v1",
}

// annotations converts those that have a meaning, but org.systemd.property.*,
// which the systemd driver reads.
func (c *converter) annotations() {
	c.plan.Rootfs.MountContext = c.mountContext()
	c.cfg.HookStdout = c.annotatedPath(annotationHooksStdout)
	c.cfg.HookStderr = c.annotatedPath(annotationHooksStderr)
	c.cfg.PidfdSocket = c.annotatedPath(annotationPidfdReceiver)
	c.cfg.FailUnknownSyscall = FailUnknownSyscall(c.doc.Annotations)
	for _, name := range notCarriedOut {
		if c.doc.Annotations[name] != "" {
			c.warn("annotations[%q]: ignored, berth does not know it", name)
		}
	}
}

// mountContext is the mount option that linux.mountLabel becomes.
func (c *converter) mountContext() string {
	key := c.doc.Annotations[annotationMountContext]
	if key != "" && !slices.Contains([]string{"context", "fscontext", "defcontext", "rootcontext"}, key) {
		c.fault("annotations[%q]: %q is not one of context, fscontext, defcontext, rootcontext", annotationMountContext, key)
	}
	return key
}

func (c *converter) annotatedPath(name string) string {
	path := c.doc.Annotations[name]
	if path != "" && !filepath.IsAbs(path) {
		c.fault("annotations[%q]: %q is not absolute", name, path)
	}
	return path
}

// cgroupBelow is the cgroup that an annotation asks for, below another one; empty:
// none. So it is on v1, where a container that manages its own cgroup could lift its
// own limits.
func (c *converter) cgroupBelow(name string, means bool) string {
	value := strings.Trim(c.doc.Annotations[name], "/")
	if value == "" {
		return ""
	}
	if err := cgfile.Local(value); err != nil {
		c.fault("annotations[%q]: %w", name, err)
		return ""
	}
	if l, err := c.layout(); err != nil || !l.V2 {
		c.warn("annotations[%q]: ignored, it means something on cgroup v2 alone", name)
		return ""
	}
	if !means {
		c.warn("annotations[%q]: ignored with the cgroup driver %s", name, c.opts.CgroupDriver)
		return ""
	}
	return value
}

// FailUnknownSyscall tells whether a seccomp profile may only name system calls
// that libseccomp knows.
func FailUnknownSyscall(annotations map[string]string) bool {
	return isSet(annotations, annotationFailUnknownSyscall)
}

// HookOutput returns where hooks write to instead of into error messages; empty:
// nowhere.
func HookOutput(annotations map[string]string) (stdout, stderr string) {
	return annotations[annotationHooksStdout], annotations[annotationHooksStderr]
}

// isSet reads a switch: it is on when it is there, unless it says otherwise.
func isSet(annotations map[string]string, name string) bool {
	value, ok := annotations[name]
	return ok && value != "0" && value != "false"
}
