package boot

import (
	"errors"
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/creds"
)

func (s *stage) setScheduling() error { return creds.Scheduling(&s.plan.Process) }

// makeCwd creates the working directory while the process is still root of the
// container.
func (s *stage) makeCwd() error {
	if s.plan.Process.Cwd == "" {
		s.plan.Process.Cwd = "/" // config.json has no process
	}
	root, err := linux.Openat(linux.AT_FDCWD, "/", linux.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return linux.Wrap("open /", err)
	}
	err = creds.MakeCwd(root, s.plan.Process.Cwd)
	// An O_PATH fd holds nothing that close could lose.
	_ = syscall.Close(root)
	return err
}

// becomeUser takes the workload's credentials. The working directory is entered
// before, as root may enter what the user may not (a home that root made), and
// once more as the user where root was refused (a directory on NFS, or of the
// mapped user).
//
// Nothing that refers to the host may be open by now: a cwd of /proc/self/fd/N
// would lead there (CVE-2024-21626).
func (s *stage) becomeUser() error {
	p := &s.plan.Process
	if err := s.closeOthers(); err != nil {
		return err
	}
	chdir := creds.Chdir(p.Cwd)
	if chdir != nil && !errors.Is(chdir, syscall.EACCES) && !errors.Is(chdir, syscall.EPERM) {
		return chdir
	}
	if err := creds.Bounding(p, s.warn); err != nil {
		return err
	}
	if err := creds.User(p, s.plan.NoSetgroups); err != nil {
		return err
	}
	if chdir != nil {
		if err := creds.Chdir(p.Cwd); err != nil {
			return err
		}
	}
	if err := creds.Capabilities(p, s.warn); err != nil {
		return err
	}
	// setresuid made the process what suid_dumpable says; the parent's secrets are
	// still in here.
	if err := linux.Prctl(linux.PrSetDumpable, 0, 0, 0, 0); err != nil {
		return linux.Wrap("set not dumpable", err)
	}
	if p.NoNewPrivs {
		if err := creds.NoNewPrivs(); err != nil {
			return err
		}
	}
	s.completeEnv()
	return nil
}

// completeEnv adds what only the inside knows: HOME, and the pid that LISTEN_PID
// promises (sd_listen_fds(3)).
func (s *stage) completeEnv() {
	p := &s.plan.Process
	home := len(p.Env)
	for i, e := range p.Env {
		if len(e) >= 5 && e[:5] == "HOME=" {
			home = i
		}
		if e == "LISTEN_PID=@" {
			p.Env[i] = "LISTEN_PID=" + strconv.Itoa(syscall.Getpid())
		}
	}
	if home == len(p.Env) {
		p.Env = append(p.Env, "HOME=")
	}
	// An empty one counts as none, in its place: of two getenv(3) finds the first.
	if p.Env[home] == "HOME=" {
		p.Env[home] += creds.Home(p.UID)
	}
}

// closeOthers closes every fd but the standard streams, those the workload is
// promised, the two connections, and the files that startContainer hooks write to.
func (s *stage) closeOthers() error {
	keep := []int{s.conn.FD, s.plan.StartListener}
	if hooks := s.plan.StartContainerHooks; len(hooks) > 0 {
		keep = append(keep, hooks[0].Stdout, hooks[0].Stderr)
	}
	for i := range keep {
		for j := i; j > 0 && keep[j-1] > keep[j]; j-- {
			keep[j-1], keep[j] = keep[j], keep[j-1]
		}
	}
	next := 3 + s.plan.PreserveFDs
	for _, fd := range keep {
		if fd < next {
			continue
		}
		if err := closeRange(next, fd-1); err != nil {
			return err
		}
		if err := linux.SetCloexec(fd, true); err != nil {
			return linux.Wrap("set close-on-exec", err)
		}
		next = fd + 1
	}
	return closeRange(next, -1)
}

// closeRange closes first to last (-1: all). Before v5.9 one by one, up to the
// soft limit that no open fd can exceed.
func closeRange(first, last int) error {
	if last >= 0 && last < first {
		return nil
	}
	end := ^uint(0)
	if last >= 0 {
		end = uint(last)
	}
	err := linux.CloseRange(uint(first), end, 0)
	if err != syscall.ENOSYS && err != syscall.EPERM {
		return linux.Wrap("close_range", err)
	}
	soft, _, err := linux.GetPrlimit(0, syscall.RLIMIT_NOFILE)
	if err != nil {
		return linux.Wrap("get RLIMIT_NOFILE", err)
	}
	for fd := first; fd < int(min(soft, 1<<20)) && (last < 0 || fd <= last); fd++ {
		// EBADF is what most of them answer.
		_ = syscall.Close(fd)
	}
	return nil
}

// findExecutable resolves args[0] as the workload's user, so that create says
// that it is missing.
func (s *stage) findExecutable() error {
	p := &s.plan.Process
	if len(p.Args) == 0 {
		return nil
	}
	path, err := creds.LookPath(p.Args[0], p.Env)
	if err != nil {
		return err
	}
	s.path = path
	return nil
}
