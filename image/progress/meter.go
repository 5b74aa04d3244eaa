package progress

import (
	"math"
	"time"
)

// meter smooths a rate: what was long ago counts less and less.
type meter struct {
	last  time.Time
	count int64
	rate  float64 // bytes per second
}

// smoothing is the time after which an old rate counts about a third.
const smoothing = 3 * time.Second

// at takes a count at a time and returns the rate.
func (m *meter) at(now time.Time, count int64) float64 {
	if m.last.IsZero() || count < m.count {
		*m = meter{last: now, count: count}
		return 0
	}
	passed := now.Sub(m.last)
	if passed < 50*time.Millisecond {
		return m.rate // too short to tell anything
	}
	fresh := float64(count-m.count) / passed.Seconds()
	if m.rate == 0 {
		m.rate = fresh
	} else {
		weight := 1 - math.Exp(-float64(passed)/float64(smoothing))
		m.rate += weight * (fresh - m.rate)
	}
	m.last, m.count = now, count
	return m.rate
}
