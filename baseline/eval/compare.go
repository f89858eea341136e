package eval

// What changed from one judgement to another, series by series.

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// compareHeader is the first line of what Save writes.
const compareHeader = "set,series,events,detected,false"

// Save writes one line for each series: what Compare needs of it.
func Save(w io.Writer, sets []SetReport) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, compareHeader)
	for _, s := range sets {
		for _, r := range s.Series {
			fmt.Fprintf(b, "%s,%s,%d,%d,%d\n", s.Name, strings.ReplaceAll(r.Name, ",", "_"), r.Events, r.Detected, r.False)
		}
	}
	return b.Flush()
}

// Compare reads what Save wrote and lists the series whose detected events or false alerts differ now, in the order of sets, with a last
// line of sums. Series that only one of the two has are left out.
func Compare(saved io.Reader, sets []SetReport) (string, error) {
	was := map[string][2]int{}
	sc := bufio.NewScanner(io.LimitReader(saved, fileMax))
	for line := 1; sc.Scan(); line++ {
		if line == 1 && sc.Text() == compareHeader {
			continue
		}
		f := strings.Split(sc.Text(), ",")
		var d, n int
		if len(f) != 5 {
			return "", fmt.Errorf("line %d: %d columns, want %s", line, len(f), compareHeader)
		}
		if _, err := fmt.Sscan(f[3]+" "+f[4], &d, &n); err != nil {
			return "", fmt.Errorf("line %d: %w", line, err)
		}
		was[f[0]+","+f[1]] = [2]int{d, n}
	}
	if err := sc.Err(); err != nil {
		return "", err
	}
	var b strings.Builder
	more, quieter, same := 0, 0, 0
	for _, s := range sets {
		for _, r := range s.Series {
			old, ok := was[s.Name+","+strings.ReplaceAll(r.Name, ",", "_")]
			switch {
			case !ok:
			case old == [2]int{r.Detected, r.False}:
				same++
			default:
				more += r.Detected - old[0]
				quieter += old[1] - r.False
				fmt.Fprintf(&b, "%s/%s: of %d events %d found, was %d; false alerts %d, was %d\n", s.Name, r.Name, r.Events, r.Detected, old[0], r.False, old[1])
			}
		}
	}
	fmt.Fprintf(&b, "events found %+d, false alerts %+d; %d series as before\n", more, -quieter, same)
	return b.String(), nil
}
