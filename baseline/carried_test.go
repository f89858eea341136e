package baseline_test

import (
	"compress/gzip"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/store"
)

// A store that an older program wrote, and what that program went on to say. Both come from the same simulated cluster.
const (
	carriedFile  = "testdata/checkpoint-stream6.db.gz"
	carriedWords = "testdata/checkpoint-stream6.txt"
	carriedStart = scenario.Epoch + 6*3_600_000
	carriedSave  = carriedStart + 150*60_000 // when the checkpoint was made
	carriedEnd   = carriedSave + 45*60_000   // until when the words go
)

var carriedConfig = scenario.Config{Seed: 9, Live: true, Replicas: 2, StartMs: carriedStart, Faults: []scenario.Fault{
	{Kind: scenario.CoreDNSBlackhole, StartMs: carriedSave - 10*60_000}, {Kind: scenario.RBAC403, StartMs: carriedSave + 5*60_000}}}

// native is a request with the native histogram of a server in a cluster of its own.
type native struct{ series.Batch }

func (b *native) AppendLabels(dst series.Labels, _ int) (series.Labels, error) {
	return append(dst, series.Label{Name: series.NameLabel, Value: "coredns_dns_request_duration_seconds"}, series.Label{Name: "instance", Value: "10.9.9.9:9153"}), nil
}

func nativeAt(t int64) *series.Batch {
	n := float64(t-carriedStart) / 1000
	b := &native{series.Batch{Sender: "native", Cluster: "native", ReceivedMs: t + 500, Entries: []series.Entry{{Key: 7, HistHi: 1}},
		Histograms: []series.Histogram{{T: t, Count: 3 * n, Sum: n, Schema: 2, ZeroThreshold: 1e-128, Pos: []series.Bucket{{Index: -4, Count: 2 * n}, {Index: 1, Count: n}}}}}}
	b.Labels = b
	return &b.Batch
}

// teller sums up every verdict that it hears, and the changes beside it, to the bit: each cluster for itself, since which of two is told of first means nothing.
type teller struct {
	sums            map[string]hash.Hash64
	verdicts, moves int
}

func (w *teller) String() string {
	text := fmt.Sprintf("%d verdicts, %d in alarm", w.verdicts, w.moves)
	for _, c := range slices.Sorted(maps.Keys(w.sums)) {
		text += fmt.Sprintf(", sum of %s %016x", c, w.sums[c].Sum64())
	}
	return text + "\n"
}

func (w *teller) Observe(b baseline.Batch) {
	if w.sums[b.Cluster] == nil {
		w.sums[b.Cluster] = fnv.New64a()
	}
	sum := w.sums[b.Cluster]
	for i := range b.Verdicts {
		v := &b.Verdicts[i]
		w.verdicts++
		if v.State.Alarm() {
			w.moves++
		}
		fmt.Fprintf(sum, "%s %d %x %x %x %x %d %x %d %d\n", v.Signal.ID, v.T, math.Float64bits(v.Value), math.Float64bits(v.Band.Lower), math.Float64bits(v.Band.Expected),
			math.Float64bits(v.Band.Upper), v.State, math.Float64bits(v.Score), v.Members, v.Onset)
	}
	for i := range b.Changes {
		if c := &b.Changes[i]; c.Cluster == b.Cluster {
			fmt.Fprintf(sum, "%d %s %s\n", c.T, c.Cluster, c.Text())
		}
	}
}

func carriedEngine(t *testing.T, sink baseline.Sink) *baseline.Engine {
	t.Helper()
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs}, Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// carriedPlay feeds what the simulated cluster sends between two times.
func carriedPlay(t *testing.T, e *baseline.Engine, from, until int64) {
	t.Helper()
	g, err := scenario.New(carriedConfig)
	if err != nil {
		t.Fatal(err)
	}
	next := int64(carriedStart)
	for {
		r, ok := g.Next(until)
		if !ok {
			return
		}
		for ; next < r.Batch.ReceivedMs; next += 15_000 {
			if next > from {
				e.Apply(nativeAt(next), 0)
			}
		}
		if r.Batch.ReceivedMs > from {
			e.Apply(&r.Batch, 0)
		}
	}
}

// TestOlderCheckpointIsCarriedOn reads the store that the commit before the rooms wrote (stream state 6), and goes on as that program went on: as many verdicts and alarms but for new signals and the two windows in which rules whose
// expressions have become others wait for their series, and since the judge counts what comes and goes, other sums. A refusal is asked for elsewhere than then: of
// the one in it api.client_denied tells, and api.forbidden is learned anew.
func TestOlderCheckpointIsCarriedOn(t *testing.T) {
	in, err := os.Open(carriedFile)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "wrackline.db")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, z); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, ok, err := s.Load()
	if err != nil || !ok {
		t.Fatalf("no checkpoint: %v", err)
	}
	words := &teller{sums: map[string]hash.Hash64{}}
	manager := alerting.NewManager(alerting.Options{})
	e := carriedEngine(t, both{words, manager})
	if err := e.Restore(l.Pos, l.Sections, l.Models); err != nil {
		t.Fatal(err)
	}
	if err := manager.RestoreState(l.Sections["alerting"]); err != nil {
		t.Fatal(err)
	}
	carriedPlay(t, e, carriedSave, carriedEnd)
	got := words.String()
	want, err := os.ReadFile(carriedWords)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the program that wrote the checkpoint went on with %s, this one with %s", want, got)
	}
}
