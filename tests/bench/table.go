package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// table holds the samples by operation and runtime, in the order they came first.
type table struct{ rows []tableRow }

type tableRow struct {
	operation, name string
	wall, cpu       []time.Duration
}

func (t *table) add(operation, name string, s sample) {
	i := slices.IndexFunc(t.rows, func(r tableRow) bool { return r.operation == operation && r.name == name })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, tableRow{operation: operation, name: name})
	}
	t.rows[i].wall = append(t.rows[i].wall, s.wall)
	t.rows[i].cpu = append(t.rows[i].cpu, s.cpu)
}

// print writes the table in milliseconds; the ratios are berth's median to theirs.
func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "\n%-22s%-9s%10s%10s%10s%10s%14s%14s\n", "ms", "", "wall min", "median", "cpu min", "median", "berth : wall", "berth : cpu")
	sorted := slices.Clone(t.rows)
	order := t.order()
	slices.SortStableFunc(sorted, func(a, b tableRow) int {
		if a.operation != b.operation {
			return slices.Index(order, a.operation) - slices.Index(order, b.operation)
		}
		return rank(a.name) - rank(b.name)
	})
	last := ""
	var berth tableRow
	for _, r := range sorted {
		title := ""
		if r.operation != last {
			last, title, berth = r.operation, r.operation, r
		}
		fmt.Fprintf(w, "%-22s%-9s%10.2f%10.2f%10.2f%10.2f", title, r.name, ms(slices.Min(r.wall)), ms(median(r.wall)), ms(slices.Min(r.cpu)), ms(median(r.cpu)))
		if r.name != berth.name {
			fmt.Fprintf(w, "%14.2f%14.2f", ms(median(berth.wall))/ms(median(r.wall)), ms(median(berth.cpu))/ms(median(r.cpu)))
		}
		fmt.Fprintln(w)
	}
}

// order is that of the operations' first samples.
func (t *table) order() []string {
	var names []string
	for _, r := range t.rows {
		if !slices.Contains(names, r.operation) {
			names = append(names, r.operation)
		}
	}
	return names
}

// rank puts berth first and the floor last.
func rank(name string) int {
	switch name {
	case "berth":
		return 0
	case "C floor":
		return 2
	}
	return 1
}

func median(values []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
