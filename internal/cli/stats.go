package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"berth/internal/command"
	"berth/libcontainer"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// firstLook is how long the first CPU percentages are measured.
const firstLook = 500 * time.Millisecond

func (b *berth) stats() *cli.Command {
	return &cli.Command{
		Name:      "stats",
		Usage:     "show what containers use: CPU, memory, processes, I/O and pressure",
		ArgsUsage: "[" + argContainer + "...]",
		Description: "Shows the given containers, or all that run, until they end or you press Ctrl-C.\n" +
			"CPU is in percent of one CPU. The last columns tell for which share of the last 10\n" +
			"seconds some process waited for CPU, memory or I/O (cgroup v2).\n\n" +
			"   berth stats web db\n" +
			"   berth stats --no-stream --format json\n\n" +
			"In JSON each round is an array in one line; its stats are those of 'berth events'.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, DisableDefaultText: true, Usage: "show containers that have stopped, too"},
			&cli.BoolFlag{Name: "no-stream", DisableDefaultText: true, Usage: "show one round and exit"},
			command.FormatFlag(),
			&cli.StringFlag{Name: "interval", Aliases: []string{"i"}, Value: "2s", Usage: "`TIME` between two rounds: 500ms, 2s, or a number of seconds", DefaultText: "2s"},
		},
		Action: func(c *cli.Context) error {
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			every, err := interval(c)
			if err != nil {
				return err
			}
			if c.Bool("all") && c.Args().Present() {
				return command.Usage(c, errors.New("--all and containers exclude each other"))
			}
			m := &meter{rt: b.rt, ids: c.Args().Slice(), all: c.Bool("all"), last: map[string]libcontainer.Sample{}}
			show := printUse
			if format == "json" {
				show = printUseJSON
			} else if !c.Bool("no-stream") && isTerminal(c.App.Writer) {
				show = redrawUse
			}
			return m.run(c.App.Writer, show, every, c.Bool("no-stream"))
		},
	}
}

// meter measures containers round by round.
type meter struct {
	rt  *libcontainer.Runtime
	ids []string // empty: all
	all bool     // stopped ones, too
	// last are the samples of the round before, by id.
	last map[string]libcontainer.Sample
}

// use is what one container used in a round.
type use struct {
	libcontainer.Sample
	// cpu is in percent of one CPU; negative: not known yet.
	cpu float64
}

func (m *meter) run(w io.Writer, show func(io.Writer, []use) error, every time.Duration, once bool) error {
	if _, err := m.round(); err != nil {
		return err
	}
	for wait := min(every, firstLook); ; wait = every {
		time.Sleep(wait)
		uses, err := m.round()
		if err != nil {
			return err
		}
		if err := show(w, uses); err != nil {
			return err
		}
		if once || len(m.ids) > 0 && !slices.ContainsFunc(uses, func(u use) bool { return u.Stats != nil }) {
			return nil
		}
	}
}

func (m *meter) round() ([]use, error) {
	samples, err := m.samples()
	if err != nil {
		return nil, err
	}
	uses := make([]use, len(samples))
	now := make(map[string]libcontainer.Sample, len(samples))
	for i, s := range samples {
		uses[i] = use{s, cpuPercent(m.last[s.ID], s)}
		now[s.ID] = s
	}
	m.last = now
	return uses, nil
}

func (m *meter) samples() ([]libcontainer.Sample, error) {
	if len(m.ids) == 0 {
		return m.rt.AllStats(m.all)
	}
	samples := make([]libcontainer.Sample, 0, len(m.ids))
	for _, id := range m.ids {
		s, err := m.rt.Stats(id)
		if err != nil {
			if _, seen := m.last[id]; seen {
				continue // deleted meanwhile
			}
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		samples = append(samples, s)
	}
	return samples, nil
}

// cpuPercent is negative when there are no two samples of the same container.
func cpuPercent(a, b libcontainer.Sample) float64 {
	if a.Stats == nil || b.Stats == nil || a.Stats.CPU == nil || b.Stats.CPU == nil {
		return -1
	}
	t, used := b.At.Sub(a.At), b.Stats.CPU.Usage.Total
	before := a.Stats.CPU.Usage.Total
	if t <= 0 || used < before {
		return -1 // a new container of the same name
	}
	return 100 * float64(used-before) / float64(t)
}

// isTerminal tells whether a table may be redrawn in place.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// redrawUse writes the table over the one before. Lines are cleared one by one,
// for a cleared screen flickers.
func redrawUse(w io.Writer, uses []use) error {
	table, err := useTable(uses)
	if err != nil {
		return err
	}
	const home, clearLine, clearRest = "\x1b[H", "\x1b[K\n", "\x1b[J"
	table = bytes.ReplaceAll(table, []byte("\n"), []byte(clearLine))
	return command.PrintBytes(w, slices.Concat([]byte(home), table, []byte(clearRest)))
}

func printUse(w io.Writer, uses []use) error {
	table, err := useTable(uses)
	if err != nil {
		return err
	}
	return command.PrintBytes(w, table)
}

func printUseJSON(w io.Writer, uses []use) error {
	list := make([]any, len(uses))
	for i, u := range uses {
		o := struct {
			ID         string    `json:"id"`
			Status     string    `json:"status"`
			Time       time.Time `json:"time"`
			CPUPercent *float64  `json:"cpu_percent,omitempty"`
			Stats      any       `json:"stats,omitempty"`
		}{ID: u.ID, Status: u.Status, Time: u.At}
		if u.cpu >= 0 {
			o.CPUPercent = &u.cpu
		}
		if u.Stats != nil {
			o.Stats = u.Stats
		}
		list[i] = o
	}
	return command.PrintJSON(w, list, "")
}

func useTable(uses []use) ([]byte, error) {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 1, 3, ' ', 0)
	columns := useColumns(uses)
	for i, c := range columns {
		fmt.Fprint(t, separator(i), c.title)
	}
	fmt.Fprintln(t)
	for _, u := range uses {
		for i, c := range columns {
			fmt.Fprint(t, separator(i), c.cell(&u))
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func separator(column int) string {
	if column == 0 {
		return ""
	}
	return "\t"
}
