package signal

import (
	"fmt"
	"slices"
	"testing"
)

func TestClusterIsDecidedForTheSender(t *testing.T) {
	by := rule("x.by", `sum by (cluster) (rate(x_total[1m]))`)
	var plain, prod, own []string
	for i := range 60 {
		plain = append(plain, fmt.Sprintf(`x_total{i="%d"}`, i))
		prod = append(prod, fmt.Sprintf(`x_total{i="%d",cluster="prod"}`, i))
		own = append(own, fmt.Sprintf(`x_total{i="%d",cluster="redis-%d"}`, i, i%3))
	}
	for _, c := range []struct {
		name  string
		fixed string
		names []string
		want  map[string]float64
	}{
		{"nobody names it", "", plain, map[string]float64{"default": 60}},
		{"an external label", "", prod, map[string]float64{"prod": 60}},
		{"the token names it", "edge", prod, map[string]float64{"edge": 60}},
		{"some exporters have such a label of their own", "", append(slices.Clone(prod), own[:12]...), map[string]float64{"prod": 72}},
		{"they come first", "", append(slices.Clone(own[:15]), prod...), map[string]float64{"prod": 75}},
		{"they come first, and the rest has none", "", append(slices.Clone(own[:12]), plain...), map[string]float64{"default": 72}},
		{"an agent for two clusters", "", append(append(slices.Clone(prod), `x_total{cluster="eu"}`, `kube_node_info{node="n",cluster="eu"}`), `x_total{i="2",cluster="eu"}`),
			map[string]float64{"prod": 60, "eu": 2}},
	} {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(by)})
		for at := int64(t0); at <= t0+600_000; at += 30_000 {
			b := newBatch(at + 1000)
			b.Cluster = c.fixed
			for i, n := range c.names {
				b.add(n, at, ramp(i, at))
			}
			s.Apply(&b.Batch)
		}
		for name, want := range c.want {
			wantValues(t, c.name, only(r, "x.by~cluster="+name), 4, 7, want)
		}
		if st := s.Stats(); len(st.Clusters) != len(c.want) {
			t.Errorf("%s: clusters %+v", c.name, st.Clusters)
		}
	}
}

func TestSameLabelsInTwoFixedClustersAreTwoSeries(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	for at := int64(t0); at <= t0+600_000; at += 30_000 {
		for i, name := range []string{"eu", "us"} {
			b := newBatch(at+1000).add(`x_total{instance="a:1"}`, at, ramp(0, at)*float64(i+1))
			b.Sender, b.Cluster = name, name
			s.Apply(&b.Batch)
		}
	}
	wantValues(t, "eu", only(r, "x.qps~cluster=eu"), 2, 8, 1)
	wantValues(t, "us", only(r, "x.qps~cluster=us"), 2, 8, 2)
}
