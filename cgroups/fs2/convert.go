package fs2

import (
	"fmt"
	"math"
)

// CPUWeight turns v1 shares (2 to 262144, default 1024) into a v2 weight (1 to
// 10000, default 100), along the curve runc and crun use: both ends and both
// defaults meet.
func CPUWeight(shares uint64) uint64 {
	if shares <= 2 {
		return 1
	}
	if shares >= 1<<18 {
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

// IOWeight turns a v1 blkio weight (10 to 1000) into a v2 io.weight (1 to 10000).
func IOWeight(weight uint16) uint64 {
	if weight <= 10 {
		return 1
	}
	return 1 + (uint64(weight)-10)*9999/990
}

// Swap turns memory+swap, as config.json has it, into swap alone; -1 is no limit,
// 0 for an argument is absent. set says whether there is something to write.
func Swap(mem, memswap int64) (swap int64, set bool, err error) {
	switch {
	case mem < 0 && memswap == 0:
		return -1, true, nil // unlimited memory, unlimited swap
	case memswap < 0:
		return -1, true, nil
	case memswap == 0:
		return 0, false, nil
	case mem < 0:
		return memswap, true, nil // nothing to subtract: it is swap alone
	case mem == 0:
		return 0, false, fmt.Errorf("linux.resources.memory.swap: %d is memory plus swap and needs a memory limit", memswap)
	case memswap < mem:
		return 0, false, fmt.Errorf("linux.resources.memory.swap: %d is memory plus swap and cannot be less than the limit %d", memswap, mem)
	}
	return memswap - mem, true, nil
}
