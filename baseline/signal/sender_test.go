package signal

import "testing"

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
