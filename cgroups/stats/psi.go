package stats

import (
	"math"
	"strconv"
	"strings"

	"berth/cgroups/cgfile"
)

// readPSI reads a file like cpu.pressure; nil when the kernel keeps no such record
// for this cgroup (v1, or PSI switched off).
func readPSI(d *cgfile.Dir, file string) (*PSI, error) {
	s, ok, err := text(d, file)
	if !ok {
		return nil, err
	}
	p := new(PSI)
	for line := range strings.Lines(s) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		to := &p.Some
		if words[0] == "full" {
			to = &p.Full
		}
		if !psiData(to, words[1:]) {
			return nil, unexpected(d, file, line)
		}
	}
	return p, nil
}

func psiData(to *PSIData, words []string) bool {
	for _, w := range words {
		key, v, _ := strings.Cut(w, "=")
		var err error
		switch key {
		case "avg10":
			to.Avg10, err = percentage(v)
		case "avg60":
			to.Avg60, err = percentage(v)
		case "avg300":
			to.Avg300, err = percentage(v)
		case "total":
			to.Total, err = strconv.ParseUint(v, 10, 64)
		}
		if err != nil {
			return false
		}
	}
	return true
}

// percentage reads an average; JSON knows neither NaN nor infinity.
func percentage(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		err = strconv.ErrSyntax
	}
	return v, err
}
