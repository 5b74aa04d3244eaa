package cli

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// ownPs is the table for a host that has no ps: what procfs says of each process.
// One that ended meanwhile is left out.
func ownPs(pids []int) []byte {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 1, 2, ' ', 0)
	fmt.Fprintln(t, "UID\tPID\tPPID\tCMD")
	for _, pid := range pids {
		dir := "/proc/" + strconv.Itoa(pid)
		status, err := os.ReadFile(dir + "/status")
		if err != nil {
			continue
		}
		// Empty for a zombie, which has no memory any more.
		cmdline, err := os.ReadFile(dir + "/cmdline")
		if err != nil {
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", statusField(status, "Uid"), pid, statusField(status, "PPid"), commandOf(cmdline, status))
	}
	// A bytes.Buffer takes all.
	_ = t.Flush()
	return b.Bytes()
}

// statusField is the first word of a line of /proc/PID/status.
func statusField(status []byte, name string) string {
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		if words := strings.Fields(value); key == name && len(words) > 0 {
			return words[0]
		}
	}
	return "?"
}

// commandOf is what the process says it runs. The container chose the text: what
// could command the terminal is shown as "?".
func commandOf(cmdline, status []byte) string {
	text := strings.TrimRight(string(cmdline), "\x00")
	if text == "" {
		text = "[" + statusField(status, "Name") + "]"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0:
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return '?'
	}, text)
}
