package signal

import (
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

// TestBirthsAreCounted plays first errors, and what only looks like them, against the same targets.
func TestBirthsAreCounted(t *testing.T) {
	const at = 180 // minute at which something happens, three hours in
	opts := StreamOptions{Packs: packOf(
		rule("x.errors", `sum by (cluster) (increase(errors_total[5m])) or 0 * sum by (cluster) (increase(ok_total[5m]))`),
	), Salt: series.Salt{1}}
	for _, x := range []struct {
		what  string
		extra func(i int) string                       // label of all series
		value func(i, target int) (v float64, ok bool) // of errors_total
		want  float64                                  // largest value afterwards
	}{
		{"a single first error", nil, func(i, k int) (float64, bool) { return 1, i >= at && k == 0 }, 1},
		{"errors from now on", nil, func(i, k int) (float64, bool) { return 60 * float64(i-at+1), i >= at && k == 1 }, 300},
		{"a label on all targets", func(i int) string { return map[bool]string{true: `,env="prod"`}[i >= at] }, func(i, k int) (float64, bool) { return 7, true }, 0},
		{"back after ninety minutes", nil, func(i, k int) (float64, bool) { return 3, i < at-90 || i >= at }, 0},
		{"not dropped any more", nil, func(i, k int) (float64, bool) { return 4, i >= at }, 0},
	} {
		s, r := newTestStream(t, opts)
		for i := range at + 15 {
			ts := int64(t0) + int64(i)*60_000 + 7_000
			b := newBatch(ts + 900)
			extra := ""
			if x.extra != nil {
				extra = x.extra(i)
			}
			for k := range 3 {
				target := fmt.Sprintf(`job="j",instance="10.0.0.%d:80"%s`, k, extra)
				b.add(`ok_total{`+target+`}`, ts, float64(i)*100)
				if v, ok := x.value(i, k); ok {
					b.add(`errors_total{`+target+`}`, ts, v)
				}
			}
			s.Apply(&b.Batch)
			if i == at { // what waits for its second sample is part of the state
				if err := s.RestoreState(s.AppendState(nil)); err != nil {
					t.Fatal(err)
				}
			}
		}
		most, n := 0., 0
		for m, v := range only(r, "x.errors~cluster=default") {
			if m > at-3 {
				most = max(most, v)
				n++
			}
		}
		if n < 10 || most < x.want-1e-6 || most > x.want+1e-6 {
			t.Errorf("%s: at most %v in %d windows, want %v", x.what, most, n, x.want)
		}
	}
}
