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
func (c *findings) memoryPolicy(p *specs.LinuxMemoryPolicy) *wire.MemoryPolicy {
	if p == nil {
		return nil
	}
	nodes, err := bitList(p.Nodes)
	if err != nil {
		c.fault("linux.memoryPolicy.nodes: %w", err)
	}
	return &wire.MemoryPolicy{Mode: c.memoryMode(p) | c.memoryFlags(p), Nodes: nodes}
}

func (c *findings) memoryMode(p *specs.LinuxMemoryPolicy) int {
	for _, m := range memoryModes {
		if m.name != p.Mode {
			continue
		}
		switch {
		case m.nodes == noNodes && p.Nodes != "":
			c.fault("linux.memoryPolicy.nodes: %s takes no nodes", p.Mode)
		case m.nodes == noNodes && len(p.Flags) > 0:
			c.fault("linux.memoryPolicy.flags: %s takes no flags", p.Mode)
		case m.nodes == needsNodes && p.Nodes == "":
			c.fault("linux.memoryPolicy.nodes: missing, %s needs nodes", p.Mode)
		}
		return m.value
	}
	c.fault("linux.memoryPolicy.mode: %q is not a mode of set_mempolicy(2)", p.Mode)
	return 0
}

func (c *findings) memoryFlags(p *specs.LinuxMemoryPolicy) int {
	const both = 1<<14 | 1<<15
	var bits int
	for i, name := range p.Flags {
		bit := 0
		for _, f := range memoryFlags {
			if f.name == name {
				bit = f.value
			}
		}
		if bit == 0 {
			c.fault("linux.memoryPolicy.flags[%d]: %q is not a flag of set_mempolicy(2)", i, name)
		}
		bits |= bit
	}
	if bits&both == both {
		c.fault("linux.memoryPolicy.flags: MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other")
	}
	return bits
}
