package conformance

import "testing"

// An "error" beside an assertion that holds is the one the program expected.
func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, output string
		ok, notOK    int
		clean        bool
	}{
		{"holds", "TAP version 13\nok 1 - fine\n  ---\n  {\n    \"error\": \"as expected\"\n  }\n  ...\n1..1\n", 1, 0, true},
		{"fails", "TAP version 13\nnot ok 1 - wrong\n  ---\n  {\n    \"error\": \"exit status 1\"\n  }\n  ...\n1..1\n", 0, 1, false},
		{"quoted output does not count", "TAP version 13\nok 1 - inside\n  ---\n  {\n    \"stdout\": \"TAP version 13\\nnot ok 1\",\n  }\n  not ok 2\n1..1\n", 1, 0, true},
		{"asserts nothing and complains", "TAP version 13\n  ---\n  {\n    \"error\": \"hooks MUST be called\"\n  }\n  ...\n1..0\n", 0, 0, false},
		{"asserts nothing", "TAP version 13\n1..0\n", 0, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := parse(test.output)
			if r.ok != test.ok || r.notOK != test.notOK || r.clean() != test.clean {
				t.Errorf("got %d ok, %d not ok, clean %t; want %d, %d, %t", r.ok, r.notOK, r.clean(), test.ok, test.notOK, test.clean)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name, verdict, output, exit string
		gate, excused               bool
	}{
		{"must and clean", "p must", "ok 1 - a\n", "", false, false},
		{"must and failed", "p must", "not ok 1 - a\n", "", true, false},
		{"must and died", "p must", "ok 1 - a\n", "exit status 1", true, false},
		{"must and said nothing", "p must", "1..0\n", "", true, false},
		{"must, silent and said nothing", "p must,silent", "1..0\n", "", false, false},
		{"known failure", "p known=1 why", "ok 1 - a\nnot ok 2 - b\n", "", false, true},
		{"one more than known", "p known=1 why", "ok 1 - a\nnot ok 2 - b\nnot ok 3 - c\n", "", true, false},
		{"known, but died early", "p known=1 why", "not ok 1 - a\n", "exit status 1", true, false},
		{"known without a count", "p known why", "not ok 1 - a\nnot ok 2 - b\n", "", false, true},
		{"env", "p env why", "", "exit status 1", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := parseVerdict(test.verdict)
			if err != nil {
				t.Fatal(err)
			}
			r := parse(test.output)
			r.exit = test.exit
			gate, why := v.judge(r)
			if gate != test.gate || (why != "") != (test.gate || test.excused) {
				t.Errorf("gate %t (%q), want gate %t, excused %t", gate, why, test.gate, test.excused)
			}
		})
	}
	for _, wrong := range []string{"p", "p perhaps", "p env", "p must=1", "p known=x why"} {
		if _, err := parseVerdict(wrong); err == nil {
			t.Errorf("parseVerdict(%q) found no fault", wrong)
		}
	}
}
