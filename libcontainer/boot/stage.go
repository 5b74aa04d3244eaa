package boot

import (
	"errors"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/rootfs"
	"berth/libcontainer/wire"
)

// stage is the state that steps hand to each other.
type stage struct {
	conn wire.Conn
	plan wire.Plan
	root *rootfs.Root
	// proc is the verified procfs for labels and sysctls; nil: none are asked for.
	proc *safepath.Proc
	// slave is the workload's terminal; -1: none.
	slave int
	// path is the executable.
	path string
	// step is the name of the running step, for errors.
	step string
}

// step is one thing to do, named as errors name it.
type step struct {
	name string
	do   func(*stage) error
}

// run receives the plan and carries out its steps. It returns only with an error.
func (s *stage) run() error {
	s.step = "plan"
	// Nobody may look into this process while it holds what is the host's
	// (CVE-2016-9962). execve resets it for the workload.
	if err := linux.Prctl(linux.PrSetDumpable, 0, 0, 0, 0); err != nil {
		return err
	}
	kind, data, err := s.conn.Receive()
	if err != nil {
		return err
	}
	if kind != wire.KindPlan {
		return wire.ErrMalformed
	}
	if err := s.plan.Decode(data); err != nil {
		return err
	}
	steps := createSteps
	switch {
	case s.plan.HotMounts != nil:
		steps = mountSteps
	case s.plan.Anteroom:
		steps = anteroomSteps
	case s.plan.Exec:
		steps = execSteps
	}
	for _, st := range steps {
		s.step = st.name
		if err := st.do(s); err != nil {
			return err
		}
	}
	return errors.New("execve returned")
}

// fail tells the parent why the stage gives up, and ends it.
func (s *stage) fail(err error) {
	f := wire.Failure{Step: s.step, Text: err.Error()}
	// A cause without a number leaves Errno 0.
	_ = errors.As(err, &f.Errno)
	// A parent that is gone cannot be told anything.
	_ = s.conn.Send(wire.KindFailed, f.Encode())
	syscall.Exit(1)
}

// warn passes on what is worth a line in the log and no more.
func (s *stage) warn(text string) {
	// The next message will notice a parent that is gone.
	_ = s.conn.Send(wire.KindWarning, []byte(text))
}
