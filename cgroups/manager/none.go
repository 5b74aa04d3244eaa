package manager

import (
	"math"

	"berth/cgroups"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// none is the driver "disabled": the container stays in its caller's cgroup, which
// is not its own to limit, list, freeze or kill.
type none struct{}

func (none) Create() error { return nil }

func (none) Set(*specs.LinuxResources) error { return nil }

func (none) OpenJoin(map[string]string) (*cgroups.Join, error) { return &cgroups.Join{Dir: -1}, nil }

func (none) OpenJoinWith(int) (*cgroups.Join, error) { return &cgroups.Join{Dir: -1}, nil }

func (none) Room(map[string]string) (uint64, error) { return math.MaxUint64, nil }

func (none) Add(int) error { return nil }

func (none) Freeze(bool) error { return cgroups.ErrNoCgroup }

func (none) Frozen() (bool, error) { return false, nil }

func (none) Kill() error { return cgroups.ErrNoCgroup }

func (none) Pids() ([]int, error) { return nil, cgroups.ErrNoCgroup }

func (none) Destroy() error { return nil }

func (none) Record() cgroups.Record { return cgroups.Record{Driver: "disabled"} }

func (none) OOMKills() (uint64, error) { return 0, nil }
