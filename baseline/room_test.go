package baseline_test

import (
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// The limit of series holds for all clusters together, but for what begins between two exchanges; one cluster alone may take all of it at once. A flood in one cluster
// takes nothing that another has.
func TestLimitsAreOfTheInstallation(t *testing.T) {
	const most = 1_000
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs(t), MaxSeries: most}})
	if err != nil {
		t.Fatal(err)
	}
	at := int64(scenario.Epoch)
	send := func(cluster string, from, n int) series.Result {
		at += 1_000
		b := &series.Batch{Sender: "s", Cluster: cluster, ReceivedMs: at + 500}
		var l keptLabels
		for i := from; i < from+n; i++ {
			k := uint32(len(b.Samples))
			b.Entries = append(b.Entries, series.Entry{Key: uint64(i + 1), SampleLo: k, SampleHi: k + 1})
			b.Samples = append(b.Samples, series.Sample{T: at, V: 1})
			l = append(l, series.Labels{{Name: series.NameLabel, Value: "kube_node_info"}, {Name: "node", Value: fmt.Sprint("n", i)}})
		}
		b.Labels = l
		return e.Apply(b, 0)
	}
	tracked := func() int {
		e.Publish()
		return e.Stats().Tracked
	}
	if res := send("first", 0, 900); res.Rejected != 0 {
		t.Fatalf("of the first cluster's 900 %d were refused: %s", res.Rejected, res.Reason)
	}
	at += 20_000
	send("first", 0, 10)
	refused := 0
	for i := range 60 {
		refused += send("flood", 100*i, 100).Rejected
		send(fmt.Sprint("short-", i), 0, 20)
	}
	if n := tracked(); n > most+most/4 || n < most || refused == 0 {
		t.Errorf("%d series are tracked of %d, %d refused", n, most, refused)
	}
	if res := send("first", 0, 900); res.Rejected != 0 || res.Samples != 900 {
		t.Errorf("the first cluster lost series: %+v", res)
	}
	if got := e.Stats().SeriesMax; got != most {
		t.Errorf("the limit is said to be %d", got)
	}
	e.Forget("first")
	for i := range 60 {
		send("flood", 100*i, 100)
	}
	if n := tracked(); n < most/2 || n > most+most/4 {
		t.Errorf("after the first was forgotten %d are tracked", n)
	}
}
