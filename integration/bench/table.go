package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The table stands between these in a document.
const (
	beginMark = "<!-- bench: begin -->\n"
	endMark   = "<!-- bench: end -->\n"
)

var headings = map[string]string{
	onDisk: "A directory of this machine",
	onS3:   "A bucket",
}

// write writes a table for each kind of store.
func (m *meter) write(w io.Writer) {
	for _, kind := range []string{onDisk, onS3} {
		peers := slices.DeleteFunc(allPeers(""), func(p peer) bool { return p.Kind() != kind || !slices.Contains(m.peers, p.Name()) })
		lines := slices.DeleteFunc(slices.Clone(m.lines), func(l line) bool { return l.kind != kind })
		if len(peers) == 0 || len(lines) == 0 {
			continue
		}
		fmt.Fprintf(w, "### %s\n\n", headings[kind])
		m.table(w, names(peers), lines)
		fmt.Fprintln(w)
	}
}

// table has a column for each peer, and one with the ratio of the first to each of
// the others. A ratio is above 1 where the first is the better one, whatever the unit.
func (m *meter) table(w io.Writer, peers []string, lines []line) {
	head := []string{"", "unit"}
	head = append(head, peers...)
	for _, p := range peers[1:] {
		head = append(head, "against "+p)
	}
	for _, p := range peers {
		head = append(head, "CPU, "+p)
	}
	fmt.Fprintf(w, "| %s |\n|---|---|%s\n", strings.Join(head, " | "), strings.Repeat("---:|", len(head)-2))
	for _, l := range lines {
		row := []string{l.what, l.unit}
		first := median(m.values(l, peers[0]))
		for _, p := range peers {
			row = append(row, spread(m.values(l, p)))
		}
		for _, p := range peers[1:] {
			row = append(row, ratio(first, median(m.values(l, p)), l.lower))
		}
		for _, p := range peers {
			row = append(row, m.cpu(l, p))
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
}

func (m *meter) values(l line, peer string) []float64 {
	var list []float64
	for _, f := range m.seen[cell{l.what, peer}] {
		list = append(list, f.value)
	}
	return list
}

// cpu is the median of the CPU time, with its unit.
func (m *meter) cpu(l line, peer string) string {
	var list []float64
	for _, f := range m.seen[cell{l.what, peer}] {
		if f.cpu >= 0 {
			list = append(list, f.cpu)
		}
	}
	if len(list) == 0 || l.cpuUnit == "" {
		return ""
	}
	return number(median(list)) + " " + l.cpuUnit
}

// median of no values is not a number.
func median(list []float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(list))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// spread is the median with the lowest and the highest value behind it.
func spread(list []float64) string {
	switch len(list) {
	case 0:
		return "–"
	case 1:
		return "**" + number(list[0]) + "**"
	}
	return fmt.Sprintf("**%s** (%s–%s)", number(median(list)), number(slices.Min(list)), number(slices.Max(list)))
}

// ratio is above 1 where a is better than b.
func ratio(a, b float64, lower bool) string {
	if lower {
		a, b = b, a
	}
	if math.IsNaN(a) || math.IsNaN(b) || b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}

// number writes three digits or more.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1 || a == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// putInto replaces what stands between the marks in a document.
func putInto(file, table string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok1 := strings.Cut(string(b), beginMark)
	_, after, ok2 := strings.Cut(rest, endMark)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no marks %q and %q", file, strings.TrimSpace(beginMark), strings.TrimSpace(endMark))
	}
	return os.WriteFile(file, []byte(before+beginMark+"\n"+table+endMark+after), 0o644)
}
