package stats

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"berth/cgroups/cgfile"
)

// text reads a file; ok is false when it is absent.
func text(d *cgfile.Dir, file string) (s string, ok bool, err error) {
	s, err = d.Read(file)
	if absent(err) {
		return "", false, nil
	}
	return s, err == nil, err
}

// number reads a number, "max" being the largest, into *to, which stays as it is
// when the file is absent.
func number(d *cgfile.Dir, file string, to *uint64) (ok bool, err error) {
	n, err := d.ReadUint(file)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	*to = n
	return true, nil
}

// field is a file and where its number goes.
type field struct {
	file string
	to   *uint64
}

// numbers reads several files and tells whether the first of them is there; the
// rest may be absent.
func numbers(d *cgfile.Dir, fields ...field) (ok bool, err error) {
	for i, f := range fields {
		there, err := number(d, f.file, f.to)
		if err != nil {
			return false, err
		}
		if i == 0 && !there {
			return false, nil
		}
	}
	return true, nil
}

// keyed reads lines "KEY NUMBER"; nil when the file is absent.
func keyed(d *cgfile.Dir, file string) (map[string]uint64, error) {
	s, ok, err := text(d, file)
	if !ok {
		return nil, err
	}
	m := make(map[string]uint64, strings.Count(s, "\n")+1)
	for line := range strings.Lines(s) {
		key, v, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		if m[key], err = strconv.ParseUint(v, 10, 64); err != nil {
			return nil, unexpected(d, file, line)
		}
	}
	return m, nil
}

// list expands "0-2,5".
func list(s string) ([]uint16, error) {
	var out []uint16
	if s == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		from, to, is := strings.Cut(part, "-")
		if !is {
			to = from
		}
		a, err := strconv.ParseUint(from, 10, 16)
		if err != nil {
			return nil, err
		}
		b, err := strconv.ParseUint(to, 10, 16)
		if err != nil {
			return nil, err
		}
		for ; a <= b; a++ {
			out = append(out, uint16(a))
		}
	}
	return out, nil
}

// device splits "8:16".
func device(s string) (major, minor uint64, ok bool) {
	a, b, ok := strings.Cut(s, ":")
	if !ok {
		return 0, 0, false
	}
	major, err := strconv.ParseUint(a, 10, 32)
	if err != nil {
		return 0, 0, false
	}
	minor, err = strconv.ParseUint(b, 10, 32)
	return major, minor, err == nil
}

func unexpected(d *cgfile.Dir, file, line string) error {
	return fmt.Errorf("read %s: line %q is not understood", path.Join(d.Path, file), strings.TrimSpace(line))
}
