package layer

import (
	"fmt"
	"os"
)

// InUserNamespace tells whether the process is in a user namespace other than the
// host's: then not every id is mapped to itself.
func InUserNamespace() bool {
	raw, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	var inside, outside, count int64
	n, err := fmt.Sscan(string(raw), &inside, &outside, &count)
	return err == nil && n == 3 && (inside != 0 || outside != 0 || count != 1<<32-1)
}
