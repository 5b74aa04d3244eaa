package libcontainer

import (
	"errors"
	"os"
	"strings"

	"berth/internal/idmap"
	"berth/libcontainer/host"
	"berth/libcontainer/launch"
	"berth/libcontainer/wire"

	"golang.org/x/sys/unix"
)

// Hint is the line that tells what to do about err, where the cure is known; else
// empty. It reads sentences of berth's own, whose causes inside a container arrive
// as text.
func Hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	if errors.Is(err, launch.ErrUserNamespace) {
		return host.UserNamespaceRefused(err)
	}
	if errors.Is(err, idmap.ErrNoHelper) {
		return "install newuidmap and newgidmap (package uidmap, or shadow-utils), or map your own id alone, as 'berth spec --rootless' does"
	}
	if errors.Is(err, errOOM) {
		return "raise linux.resources.memory.limit; 1 MiB is enough to start a small static program"
	}
	text := err.Error()
	for _, k := range knownCauses {
		if strings.Contains(text, k.text) {
			return k.hint
		}
	}
	for _, k := range knownPlaces {
		if strings.Contains(text, k.text) && strings.HasSuffix(text, k.end) {
			return k.hint
		}
	}
	return ""
}

// knownPlaces are causes of many things whose cure depends on what was about to be done.
var knownPlaces = [...]struct{ text, end, hint string }{
	{`exec: "`, `": permission denied`, "the file needs an execute bit for the container's user (chmod +x), who must be let into its directories, too"},
	{"/config.json", ": no such file or directory", "a bundle is a directory with a config.json, which 'berth spec' writes; an image needs none: berth run --image IMAGE NAME"},
	{`root.path "`, ": no such file or directory", "put a root file system there; 'berth unpack IMAGE DIR' makes a bundle that has one"},
	{`mount source "`, ": no such file or directory", "berth does not make it: mkdir it on the host first"},
	{"mkdir /sys/fs/cgroup/", ": permission denied", "limits need a cgroup that is this user's, as 'systemd-run --user --scope -p Delegate=yes' gives; leave them away, or run it as root"},
}

// knownCauses pairs parts of berth's sentences with the cure.
var knownCauses = [...]struct{ text, hint string }{
	{"ends in a carriage return", "the script was saved on Windows: sed -i 's/\\r$//' FILE, or convert it with dos2unix"},
	{"mounted noexec", "put the program on a file system without noexec, or take that option from the mount"},
	{"dynamic loader ", "the program was linked for another C library (glibc or musl) than the root file system has: use one that has it, or link statically"},
	{"interpreter ", "put the interpreter of the script's first line into the root file system, or name another in that line"},
	{"is an executable for ", "use a root file system for this machine, or register an emulator (qemu-user, binfmt_misc) on the host"},
	{`neither a "#!" line nor`, "a script needs a first line like #!/bin/sh; else run it as 'sh FILE'"},
	{"executable file not found in $PATH", "it is looked for in PATH of process.env; is the root file system the right one?"},
	{"container has no cgroup", "it was made with --cgroup-manager disabled, or by a user where no cgroup is his own, as 'systemd-run --user --scope -p Delegate=yes' gives one"},
	{"cgroup controller ", "'berth info' lists the controllers of this host; take the field from config.json, or mount the controller"},
	{"without setting console socket", "let config.json say \"terminal\": false, give --console-socket, or use 'berth run', which takes the terminal it is called on"},
	{"container does not exist", "'berth list' shows the containers there are; --root names another directory of them"},
	{"open /run/berth: permission denied", "a user's containers are in $XDG_RUNTIME_DIR/berth: set it as a login does, or give --root DIR"},
	{"needs CAP_SYS_NICE on the host", "run it as root, or leave the priority to what the caller has: a user may lower it only"},
	{"is not mapped in the container's user namespace", "map more ids: a user needs ranges in /etc/subuid and /etc/subgid, newuidmap and newgidmap ('berth info' tells what is missing)"},
	{") not allowed", "map ids that /etc/subuid and /etc/subgid give to this user ('berth info' names them), as 'berth spec --rootless --userns auto' does"},
	{"cannot be set by an ordinary user without a range of group ids", "map a range of /etc/subgid, as 'berth spec --rootless --userns auto' does"},
	{"was built without libseccomp", "make berth with libseccomp-dev installed, or do without a profile: --seccomp none for an image, no linux.seccomp in config.json"},
	{"init stage ended with status 0x7f00", "berth has to be linked statically: build it with make"},
	{"cgroup driver systemd: systemd does not run", "leave --systemd-cgroup away"},
}

// ExitStatus is what a shell exits with when it cannot run a command: 127 when it is
// not there, 126 when it cannot be executed (POSIX, Exit Status for Commands); 0
// for an error of another kind.
func ExitStatus(err error) int {
	const notFound, notExecutable = 127, 126
	var f *wire.Failure
	if !errors.As(err, &f) {
		return 0
	}
	switch {
	case f.Step == "exec":
		// It was there when the container was made. What is missing is its interpreter.
		return notExecutable
	case f.Step != "executable":
		return 0
	case f.Errno == 0, errors.Is(f, os.ErrNotExist), errors.Is(f, unix.ENOTDIR), errors.Is(f, unix.ENAMETOOLONG):
		return notFound
	}
	return notExecutable
}
