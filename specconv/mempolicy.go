package specconv

import (
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// memoryModes and memoryFlags are those of set_mempolicy(2), as features prints them.
var (
	memoryModes = [...]struct {
		name  specs.MemoryPolicyModeType
		value int
		nodes nodeRule
	}{
		{specs.MpolDefault, 0, noNodes},
		{specs.MpolBind, 2, needsNodes},
		{specs.MpolInterleave, 3, needsNodes},
		{specs.MpolWeightedInterleave, 6, needsNodes},
		{specs.MpolPreferred, 1, anyNodes},
		{specs.MpolPreferredMany, 5, needsNodes},
		{specs.MpolLocal, 4, noNodes},
	}
	memoryFlags = [...]struct {
		name  specs.MemoryPolicyFlagType
		value int
	}{
		{specs.MpolFNumaBalancing, 1 << 13},
		{specs.MpolFRelativeNodes, 1 << 14},
		{specs.MpolFStaticNodes, 1 << 15},
	}
)

// nodeRule says whether a mode takes nodes.
type nodeRule int

const (
	anyNodes nodeRule = iota
	noNodes
	needsNodes
)

// memoryPolicy converts linux.memoryPolicy.
func (f *findings) memoryPolicy(p *specs.LinuxMemoryPolicy) *wire.MemoryPolicy {
	if p == nil {
		return nil
	}
	nodes, err := BitList(p.Nodes)
	if err != nil {
		f.fault("linux.memoryPolicy.nodes: %w", err)
	}
	return &wire.MemoryPolicy{Mode: f.memoryMode(p) | f.memoryFlags(p), Nodes: nodes}
}

func (f *findings) memoryMode(p *specs.LinuxMemoryPolicy) int {
	for _, m := range memoryModes {
		if m.name != p.Mode {
			continue
		}
		switch {
		case m.nodes == noNodes && p.Nodes != "":
			f.fault("linux.memoryPolicy.nodes: %s takes no nodes", p.Mode)
		case m.nodes == noNodes && len(p.Flags) > 0:
			f.fault("linux.memoryPolicy.flags: %s takes no flags", p.Mode)
		case m.nodes == needsNodes && p.Nodes == "":
			f.fault("linux.memoryPolicy.nodes: missing, %s needs nodes", p.Mode)
		}
		return m.value
	}
	f.fault("linux.memoryPolicy.mode: %q is not a mode of set_mempolicy(2)", p.Mode)
	return 0
}

func (f *findings) memoryFlags(p *specs.LinuxMemoryPolicy) int {
	const both = 1<<14 | 1<<15
	var bits int
	for i, name := range p.Flags {
		bit := 0
		for _, known := range memoryFlags {
			if known.name == name {
				bit = known.value
			}
		}
		if bit == 0 {
			f.fault("linux.memoryPolicy.flags[%d]: %q is not a flag of set_mempolicy(2)", i, name)
		}
		bits |= bit
	}
	if bits&both == both {
		f.fault("linux.memoryPolicy.flags: MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other")
	}
	return bits
}
