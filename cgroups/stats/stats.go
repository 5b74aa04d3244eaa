package stats

// Stats are the counters of one container at one moment. A nil section means that
// its controller is not there.
type Stats struct {
	CPU     *CPU               `json:"cpu,omitempty"`
	CPUSet  *CPUSet            `json:"cpuset,omitempty"`
	Memory  *Memory            `json:"memory,omitempty"`
	Pids    *Pids              `json:"pids,omitempty"`
	Blkio   *Blkio             `json:"blkio,omitempty"`
	Hugetlb map[string]Hugetlb `json:"hugetlb,omitempty"` // by page size: "2MB"
	Rdma    *Rdma              `json:"rdma,omitempty"`
}

// CPU is time used and time withheld.
type CPU struct {
	Usage      CPUUsage    `json:"usage,omitzero"`
	Throttling *Throttling `json:"throttling,omitempty"`
	PSI        *PSI        `json:"psi,omitempty"`
}

// CPUUsage is in nanoseconds. The kernel counts time per CPU on v1 only.
type CPUUsage struct {
	Total        uint64   `json:"total,omitempty"`
	Percpu       []uint64 `json:"percpu,omitempty"`
	PercpuKernel []uint64 `json:"percpu_kernel,omitempty"`
	PercpuUser   []uint64 `json:"percpu_user,omitempty"`
	Kernel       uint64   `json:"kernel"`
	User         uint64   `json:"user"`
}

// Throttling is what the CPU quota did: of Periods, ThrottledPeriods ended early,
// and processes waited for ThrottledTime nanoseconds.
type Throttling struct {
	Periods          uint64 `json:"periods,omitempty"`
	ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
	ThrottledTime    uint64 `json:"throttledTime,omitempty"`
	BurstPeriods     uint64 `json:"burstPeriods,omitempty"`
	BurstTime        uint64 `json:"burstTime,omitempty"` // nanoseconds
}

// CPUSet is where processes may run. v2 has the two lists only.
type CPUSet struct {
	CPUs []uint16 `json:"cpus,omitempty"`
	Mems []uint16 `json:"mems,omitempty"`
	*CPUSetFlags
}

// CPUSetFlags are the switches of a v1 cpuset, cpuset(7).
type CPUSetFlags struct {
	CPUExclusive          uint64 `json:"cpu_exclusive"`
	MemHardwall           uint64 `json:"mem_hardwall"`
	MemExclusive          uint64 `json:"mem_exclusive"`
	MemoryMigrate         uint64 `json:"memory_migrate"`
	MemorySpreadPage      uint64 `json:"memory_spread_page"`
	MemorySpreadSlab      uint64 `json:"memory_spread_slab"`
	MemoryPressure        uint64 `json:"memory_pressure"`
	SchedLoadBalance      uint64 `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64  `json:"sched_relax_domain_level"`
}

// Memory is in bytes.
type Memory struct {
	// Cache is the page cache.
	Cache uint64       `json:"cache,omitempty"`
	Usage *MemoryEntry `json:"usage,omitempty"`
	// Swap counts memory plus swap, on v2 too.
	Swap      *MemoryEntry `json:"swap,omitempty"`
	Kernel    *MemoryEntry `json:"kernel,omitempty"`
	KernelTCP *MemoryEntry `json:"kernelTCP,omitempty"`
	// Raw is memory.stat as it stands.
	Raw map[string]uint64 `json:"raw,omitempty"`
	PSI *PSI              `json:"psi,omitempty"`
	// Events is memory.events (v2) or what memory.oom_control counts (v1).
	Events map[string]uint64 `json:"event_count,omitempty"`
}

// MemoryEntry is one kind of memory. Without a limit v1 shows the largest multiple
// of a page, v2 the largest number.
type MemoryEntry struct {
	Limit uint64 `json:"limit"`
	Usage uint64 `json:"usage,omitempty"`
	// Max is the highest usage so far.
	Max uint64 `json:"max,omitempty"`
	// Failcnt is how often the limit was hit.
	Failcnt uint64 `json:"failcnt"`
}

// Pids counts tasks; Limit 0 means none.
type Pids struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// Blkio are counters by device and operation. v2 fills the first two.
type Blkio struct {
	IOServiceBytes []BlkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	IOServiced     []BlkioEntry `json:"ioServicedRecursive,omitempty"`
	IOQueued       []BlkioEntry `json:"ioQueueRecursive,omitempty"`
	IOServiceTime  []BlkioEntry `json:"ioServiceTimeRecursive,omitempty"`
	IOWaitTime     []BlkioEntry `json:"ioWaitTimeRecursive,omitempty"`
	IOMerged       []BlkioEntry `json:"ioMergedRecursive,omitempty"`
	IOTime         []BlkioEntry `json:"ioTimeRecursive,omitempty"`
	Sectors        []BlkioEntry `json:"sectorsRecursive,omitempty"`
	PSI            *PSI         `json:"psi,omitempty"`
}

// BlkioEntry is one counter of one device. Op is Read, Write, Sync, Async, Discard
// or Total, as the kernel spells it.
type BlkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

// Hugetlb counts huge pages of one size, in bytes, reserved ones among them.
type Hugetlb struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// Rdma counts RDMA handles and objects by device.
type Rdma struct {
	Limit   []RdmaEntry `json:"rdma_limit,omitempty"`
	Current []RdmaEntry `json:"rdma_current,omitempty"`
}

// RdmaEntry is one device; no limit is the largest number.
type RdmaEntry struct {
	Device     string `json:"device,omitempty"`
	HcaHandles uint32 `json:"hca_handles,omitempty"`
	HcaObjects uint32 `json:"hca_objects,omitempty"`
}

// PSI says for which share of the time some, or all, processes waited for a
// resource (Documentation/accounting/psi.rst).
type PSI struct {
	Some PSIData `json:"some,omitzero"`
	Full PSIData `json:"full,omitzero"`
}

// PSIData are averages in percent, and a total in microseconds.
type PSIData struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}
