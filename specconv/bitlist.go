package specconv

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// maxBits bounds CPU and NUMA node numbers: the largest NR_CPUS of Linux is 8192.
// maxBitList bounds the text, so that repeated ranges cannot cost minutes.
const (
	maxBits    = 1 << 16
	maxBitList = 1 << 16
)

// BitList parses a list like "0-3,7" into a mask as sched_setaffinity(2) takes it:
// native longs, bit 0 first. The empty list has no mask.
func BitList(list string) ([]byte, error) {
	if list == "" {
		return nil, nil
	}
	if len(list) > maxBitList {
		return nil, fmt.Errorf("a list of %d bytes is too long", len(list))
	}
	var words []uint64
	for part := range strings.SplitSeq(list, ",") {
		first, last, err := bitRange(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%q is not a list like 0-3,7: %w", list, err)
		}
		for len(words) <= last/64 {
			words = append(words, 0)
		}
		for n := first; n <= last; n++ {
			words[n/64] |= 1 << (n % 64)
		}
	}
	out := make([]byte, 0, len(words)*8)
	for _, w := range words {
		out = binary.NativeEndian.AppendUint64(out, w)
	}
	return out, nil
}

func bitRange(s string) (first, last int, err error) {
	from, to, isRange := strings.Cut(s, "-")
	first, err = bitNumber(from)
	if err != nil || !isRange {
		return first, first, err
	}
	last, err = bitNumber(to)
	if err == nil && last < first {
		err = fmt.Errorf("range %q runs backwards", s)
	}
	return first, last, err
}

func bitNumber(s string) (int, error) {
	if !digits(s) {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	n, err := strconv.Atoi(s)
	if err != nil || n >= maxBits {
		return 0, fmt.Errorf("%s is too large", s)
	}
	return n, nil
}
