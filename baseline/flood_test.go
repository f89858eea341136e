package baseline_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// requestOf is a request of n series of a metric, of one sender, whose labels name a cluster.
func requestOf(sender, cluster, metric string, from, n int, at int64) *series.Batch {
	b := &series.Batch{Sender: sender, ReceivedMs: at + 500}
	var l keptLabels
	for i := from; i < from+n; i++ {
		k := uint32(len(b.Samples))
		labels := series.Labels{{Name: series.NameLabel, Value: metric}, {Name: "cluster", Value: cluster}, {Name: "node", Value: fmt.Sprint("n", i)}}
		b.Entries = append(b.Entries, series.Entry{Key: series.Hash64([]byte(labels.String())), SampleLo: k, SampleHi: k + 1})
		b.Samples = append(b.Samples, series.Sample{T: at, V: 1})
		l = append(l, labels)
	}
	b.Labels = l
	return b
}

// Whatever a flood is made of, names of clusters, of senders, or series, needed ones or such as nobody needs: a sender that comes while it lasts gets a cluster and baselines, and once the retention is over nothing of the
// flood is held.
func TestFloodIsForgotten(t *testing.T) {
	t.Parallel()
	const hour = int64(3600_000)
	few := slices.DeleteFunc(packs(t), func(p *pack.Pack) bool { return p.Name != "dns" }) // a cluster compiles its rules
	for _, metric := range []string{"kube_node_info", "of_no_use"} {
		for _, kind := range []string{"clusters", "clusters by path", "senders", "series"} {
			t.Run(kind+" "+metric, func(t *testing.T) {
				t.Parallel()
				e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: few, MaxSeries: 2_000, RetireMs: 2 * hour}})
				if err != nil {
					t.Fatal(err)
				}
				at := int64(scenario.Epoch)
				honest := func(name string) series.Result {
					return e.Apply(requestOf("of-"+name, name, "kube_node_info", 0, 25, at), 0)
				}
				for range 20 {
					honest("eu")
					at += 30_000
				}
				for i := range 1_500 {
					name := fmt.Sprint("f", i)
					switch kind {
					case "clusters":
						e.Apply(requestOf("flood", name, metric, 0, 1, at), 0)
					case "clusters by path":
						b := requestOf("flood", "", metric, i, 1, at)
						b.Cluster = name
						e.Apply(b, 0)
					case "senders":
						e.Apply(requestOf(name, "flood", metric, 0, 1, at), 0)
					case "series":
						e.Apply(requestOf("flood", "flood", metric, 20*i, 20, at), 0)
					}
					if at += 200; i%50 == 0 {
						if res := honest("eu"); res.Rejected > 0 {
							t.Fatalf("samples of the sender that was there are refused: %+v", res)
						}
					}
				}
				for i := range 40 { // a cluster that is new
					at += 15_000
					honest("eu")
					if res := honest("asia"); i > 0 && res.Rejected > 0 {
						t.Fatalf("a new sender's samples are refused: %+v", res)
					}
				}
				e.Publish()
				here := map[string]int{}
				for _, c := range e.Stats().Clusters {
					here[c.Name] = c.Tracked
				}
				if here["eu"] != 25 || here["asia"] != 25 {
					t.Errorf("of 25 series each %d and %d are held", here["eu"], here["asia"])
				}
				for end := at + 4*hour; at < end; at += 4 * 60_000 {
					honest("eu")
					honest("asia")
				}
				e.Publish()
				st := e.Stats()
				if len(st.Clusters) != 2 || st.Series != 50 || st.Tracked != 50 {
					t.Errorf("%d clusters and %d series, %d of them needed, are held after the retention", len(st.Clusters), st.Series, st.Tracked)
				}
				for _, x := range st.Senders {
					if x.Name != "of-eu" && x.Name != "of-asia" {
						t.Errorf("sender %s is known after the retention", x.Name)
						break
					}
				}
				size := 0
				for _, write := range e.Sections {
					size += len(write(nil))
				}
				if size > 200_000 {
					t.Errorf("the state has %d bytes after the retention", size)
				}
			})
		}
	}
}
