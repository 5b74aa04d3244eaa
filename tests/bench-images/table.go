package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// table holds the samples by what was pulled and by whom, in the order they came.
type table struct{ rows []row }

type row struct {
	image, tool string
	samples     []sample
}

func (t *table) add(image, tool string, s sample) {
	fmt.Printf("%-24s%-16s%8.2f s wall%8.2f s CPU%6d MB\n", image, tool, s.wall.Seconds(), s.cpu.Seconds(), s.memory>>20)
	i := slices.IndexFunc(t.rows, func(r row) bool { return r.image == image && r.tool == tool })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, row{image: image, tool: tool})
	}
	t.rows[i].samples = append(t.rows[i].samples, s)
}

func (r row) wall() time.Duration {
	return slices.MinFunc(r.samples, func(a, b sample) int { return int(a.wall - b.wall) }).wall
}

func (r row) cpu() time.Duration {
	return slices.MinFunc(r.samples, func(a, b sample) int { return int(a.cpu - b.cpu) }).cpu
}

func (r row) memory() int64 {
	return slices.MaxFunc(r.samples, func(a, b sample) int { return int(a.memory - b.memory) }).memory
}

// print writes the least time of each and the most memory; the ratios are berth's
// time to theirs.
func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "\n%-24s%-16s%10s%10s%10s%14s%14s\n", "", "", "wall s", "CPU s", "peak MB", "berth : wall", "berth : CPU")
	var images []string
	for _, r := range t.rows {
		if !slices.Contains(images, r.image) {
			images = append(images, r.image)
		}
	}
	for _, image := range images {
		mine := slices.IndexFunc(t.rows, func(r row) bool { return r.image == image && r.tool == "berth" })
		title := image
		for _, r := range t.rows {
			if r.image != image {
				continue
			}
			fmt.Fprintf(w, "%-24s%-16s%10.2f%10.2f%10d", title, r.tool, r.wall().Seconds(), r.cpu().Seconds(), r.memory()>>20)
			if mine >= 0 && r.tool != "berth" {
				b := t.rows[mine]
				fmt.Fprintf(w, "%14.2f%14.2f", b.wall().Seconds()/r.wall().Seconds(), b.cpu().Seconds()/r.cpu().Seconds())
			}
			fmt.Fprintln(w)
			title = ""
		}
	}
}
