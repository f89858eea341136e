package signal

import (
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/series"
)

// stage is a cluster made of lines that a kube-state-metrics and others show every 30 s.
type stage struct {
	t       *testing.T
	s       *Stream
	at      int64
	names   []string
	vals    map[string]float64
	silent  bool // nothing arrives
	senders []string
	got     []string
	all     []change.Change
}

func newStage(t *testing.T, lines ...string) *stage {
	g := &stage{t: t, at: t0, vals: map[string]float64{}, senders: []string{"a"}}
	g.s = g.stream()
	g.set(1, `up{job="x",instance="x:1"}`)
	for _, l := range lines {
		g.set(1, l)
	}
	return g
}

func (g *stage) stream() *Stream {
	s, err := NewStream(StreamOptions{Packs: packOf(rule("x.up", `sum by (cluster) (up)`))}, func(w *Window) {
		for _, c := range w.Changes {
			g.got = append(g.got, c.Text())
			g.all = append(g.all, c)
		}
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

func (g *stage) set(v float64, names ...string) *stage {
	for _, n := range names {
		if _, ok := g.vals[n]; !ok {
			g.names = append(g.names, n)
		}
		g.vals[n] = v
	}
	return g
}

// drop ends series with stale markers.
func (g *stage) drop(names ...string) *stage {
	b := newBatch(g.at + 1000)
	for _, n := range names {
		b.add(n, g.at, series.StaleNaN)
		g.names = slices.DeleteFunc(g.names, func(x string) bool { return x == n })
		delete(g.vals, n)
	}
	g.s.Apply(&b.Batch)
	g.at += 30_000
	return g
}

func (g *stage) run(minutes int) *stage {
	for range 2 * minutes {
		if !g.silent {
			for i, from := range g.senders {
				b := newBatch(g.at + 1000)
				b.Sender = from
				for _, n := range g.names {
					text := n
					if len(g.senders) > 1 {
						text = strings.TrimSuffix(n, "}") + `,prometheus_replica="` + from + `"}`
					}
					b.add(text, g.at+int64(i)*7000, g.vals[n])
				}
				g.s.Apply(&b.Batch)
			}
		}
		g.at += 30_000
	}
	return g
}

// moved restores the stage's stream in a new one.
func (g *stage) moved() *stage {
	state := g.s.AppendState(nil)
	g.s = g.stream()
	if err := g.s.RestoreState(state); err != nil {
		g.t.Fatal(err)
	}
	return g
}

func (g *stage) want(what string, texts ...string) {
	g.t.Helper()
	if strings.Join(g.got, "\n") != strings.Join(texts, "\n") {
		g.t.Errorf("%s: told\n  %s\nwant\n  %s", what, strings.Join(g.got, "\n  "), strings.Join(texts, "\n  "))
	}
	g.got = nil
}

func podLines(ns, pod, node, kind, owner string) []string {
	at := `namespace="` + ns + `",pod="` + pod + `"`
	return []string{`kube_pod_owner{` + at + `,owner_kind="` + kind + `",owner_name="` + owner + `"}`, `kube_pod_info{` + at + `,node="` + node + `"}`}
}
