package signal

import (
	"fmt"
	"testing"
)

// TestSlowScrapes holds that counters which are read every few minutes have a value each minute, alone or beside others that do not wait for them, and that a missed scrape of a fast one is none.
func TestSlowScrapes(t *testing.T) {
	rules := packOf(rule("x.a", `sum by (cluster) (rate(x_total[1m]))`), rule("x.b", `sum by (cluster) (rate(x_total[5m]))`), rule("x.c", `sum by (cluster) (rate(x_total[15m]))`),
		rule("x.h", `histogram_quantile(0.9, sum by (cluster, le) (rate(h_bucket[5m])))`), rule("x.g", `sum by (cluster) (g)`))
	for _, step := range []int64{120, 180, 300} {
		for _, alone := range []bool{true, false} {
			what := fmt.Sprintf("every %d s, alone %v", step, alone)
			s, r := newTestStream(t, StreamOptions{Packs: rules})
			for at := int64(0); at < 120*60_000; at += 30_000 {
				b := newBatch(t0 + at + 5000)
				if !alone {
					b.add(`g{instance="f:1"}`, t0+at, 1)
				}
				if i := at / (step * 1000); at%(step*1000) == 0 {
					at := t0 + at + 2000 - i*7919%1000*3 // up to 3 s more or less
					for k := range 4 {
						b.add(fmt.Sprintf(`x_total{instance="i%d:1"}`, k), at, 3e6+float64(at-t0)/1000*2)
					}
					for k, le := range []string{"0.5", "1", "+Inf"} {
						b.add(fmt.Sprintf(`h_bucket{instance="i:1",le="%s"}`, le), at, []float64{.5, 1, 1}[k]*(3e6+float64(at-t0)/1000*2))
					}
				}
				if len(b.Samples) > 0 {
					s.Apply(&b.Batch)
				}
				if at == 70*60_000 {
					n, again := newTestStream(t, s.opts)
					again.values, again.members = r.values, r.members
					if err := n.RestoreState(s.AppendState(nil)); err != nil {
						t.Fatal(err)
					}
					s = n
				}
			}
			wantValues(t, what, only(r, "x.a~cluster=default"), 12, 108, 8)
			wantValues(t, what+", five minutes", only(r, "x.b~cluster=default"), 14, 108, 8)
			wantValues(t, what+", fifteen", only(r, "x.c~cluster=default"), 30, 108, 8)
			wantValues(t, what+", a histogram", only(r, "x.h~cluster=default"), 14, 108, .9)
		}
	}
	s, r := newTestStream(t, StreamOptions{Packs: rules})
	for at := int64(0); at < 20*60_000; at += 30_000 {
		b := newBatch(t0+at+5000).add(`g{instance="f:1"}`, t0+at, 1)
		if m := at / 60_000; m < 8 || m > 11 {
			b.add(`x_total{instance="i:1"}`, t0+at, float64(at))
		}
		s.Apply(&b.Batch)
	}
	if got := only(r, "x.a~cluster=default"); got[9] != 0 || got[10] != 0 || got[7] == 0 || got[14] == 0 {
		t.Errorf("a series that is read every 30 s and is silent for four minutes: %v", got)
	}
}
