package conformance

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// verdict is a line of verdicts.txt: what is expected of a program of the suite.
type verdict struct {
	program string
	// kind is must, known, env or flaky.
	kind string
	// most is, of a known program, how many assertions may fail; -1: not counted.
	most int
	// silent says that the program asserts nothing: without it a program that
	// reports no assertion at all has failed.
	silent bool
	reason string
}

// readVerdicts reads the table; every line is PROGRAM KIND REASON.
func readVerdicts(path string) (map[string]verdict, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	verdicts := map[string]verdict{}
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		v, err := parseVerdict(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		if _, twice := verdicts[v.program]; twice {
			return nil, fmt.Errorf("%s:%d: %s stands here twice", path, number, v.program)
		}
		verdicts[v.program] = v
	}
	return verdicts, lines.Err()
}

func parseVerdict(line string) (verdict, error) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return verdict{}, fmt.Errorf("%q: want PROGRAM KIND REASON", line)
	}
	v := verdict{program: words[0], most: -1, reason: strings.Join(words[2:], " ")}
	kind, silent := strings.CutSuffix(words[1], ",silent")
	v.silent = silent
	kind, count, counted := strings.Cut(kind, "=")
	v.kind = kind
	if counted {
		most, err := strconv.Atoi(count)
		if err != nil || kind != "known" {
			return verdict{}, fmt.Errorf("%q: want known=NUMBER", words[1])
		}
		v.most = most
	}
	switch kind {
	case "must":
	case "known", "env", "flaky":
		if v.reason == "" {
			return verdict{}, fmt.Errorf("%s: %s needs a reason", v.program, kind)
		}
	default:
		return verdict{}, fmt.Errorf("%q: want must, known, env or flaky", kind)
	}
	return v, nil
}

// judge compares a result with the verdict: it fails the gate (why), is excused
// (why), or is clean.
func (v verdict) judge(r result) (gate bool, why string) {
	if r.ok+r.notOK == 0 && !v.silent && r.clean() {
		return v.kind == "must", "no assertion was reported"
	}
	if r.clean() {
		return false, ""
	}
	switch {
	case v.kind == "must":
		return true, r.String()
	case v.kind == "known" && v.most >= 0 && (r.notOK > v.most || r.ok == 0 || r.exit != ""):
		return true, fmt.Sprintf("%s, known are %d not ok: %s", r, v.most, v.reason)
	}
	return false, fmt.Sprintf("%s; %s: %s", r, v.kind, v.reason)
}
