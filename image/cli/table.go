package cli

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"berth/internal/command"

	"github.com/opencontainers/go-digest"
)

// printTable writes rows of cells below their headings.
func printTable(w io.Writer, headings []string, rows [][]string) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 1, 3, ' ', 0)
	for _, row := range append([][]string{headings}, rows...) {
		for i, cell := range row {
			row[i] = oneLine(cell)
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return command.PrintBytes(w, b.Bytes())
}

// oneLine keeps a stranger's text in its cell, and from steering the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// size shows bytes as people read them: 4.3MB. Units are powers of ten, as docker's.
func size(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return strconv.FormatInt(n, 10) + "B"
	}
	f, i := float64(n)/1000, 0
	for f >= 999.5 && i < len(units)-1 {
		f /= 1000
		i++
	}
	return strconv.FormatFloat(f, 'g', 3, 64) + string(units[i]) + "B"
}

// age shows how long ago something was; a dash for never, which is also how
// reproducible images tell their time.
func age(t *time.Time) string {
	if t == nil || t.Unix() <= 0 {
		return "-"
	}
	d := time.Since(*t)
	for _, u := range []struct {
		name string
		of   time.Duration
	}{
		{"year", 365 * 24 * time.Hour}, {"month", 30 * 24 * time.Hour}, {"week", 7 * 24 * time.Hour},
		{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second},
	} {
		if n := int(d / u.of); n > 1 || n == 1 && u.of < 24*time.Hour {
			return plural(n, u.name) + " ago"
		}
	}
	return "just now"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// shortID is what people call an image by.
func shortID(d digest.Digest) string {
	const digits = 12
	if hex := d.Encoded(); len(hex) > digits {
		return hex[:digits]
	}
	return d.String()
}
