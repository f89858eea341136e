package ingest

import (
	"context"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest/journal"
)

// flat is a batch with its labels, for comparison. Keys are left out: they are the process' own.
type flat struct {
	sender     string
	receivedMs int64
	labels     []series.Labels
	samples    []series.Sample
}

func flatten(t testing.TB, sender string, receivedMs int64, entries []series.Entry, samples []series.Sample, r series.LabelReader) flat {
	t.Helper()
	f := flat{sender: sender, receivedMs: receivedMs, samples: slices.Clone(samples)}
	for i, e := range entries {
		l, err := r.AppendLabels(nil, i)
		if err == nil {
			l, err = series.Canonical(l)
		}
		if err != nil {
			t.Fatal(err)
		}
		for range e.SampleHi - e.SampleLo {
			f.labels = append(f.labels, l)
		}
	}
	return f
}

func (f flat) equal(g flat) bool {
	return f.sender == g.sender && f.receivedMs == g.receivedMs &&
		slices.EqualFunc(f.samples, g.samples, func(a, b series.Sample) bool { return a.T == b.T && sameFloat(a.V, b.V) && a.Start == b.Start }) &&
		slices.EqualFunc(f.labels, g.labels, func(a, b series.Labels) bool { return slices.Equal(a, b) })
}

// journaling is an Appender as the binary has it, with a list in the engine's place.
type journaling struct {
	t    *testing.T
	j    *journal.Journal
	seen []flat
}

func (a *journaling) Append(ctx context.Context, raw *Raw, b *series.Batch, done func()) error {
	defer done()
	pos, err := a.j.Append(journal.Record{ReceivedMs: raw.ReceivedMs, Sender: raw.Sender, Cluster: raw.Cluster,
		Proto: uint8(raw.Proto), Encoding: uint8(raw.Encoding), Body: raw.Body})
	if err != nil {
		return err
	}
	a.seen = append(a.seen, flatten(a.t, b.Sender, b.ReceivedMs, b.Entries, b.Samples, b.Labels))
	return a.j.Wait(ctx, pos)
}

// TestSimulatedClusterArrives sends what a simulated cluster sends through the handler: what arrives is what was made, and
// what is replayed from the journal is what arrived.
func TestSimulatedClusterArrives(t *testing.T) {
	g, err := scenario.New(scenario.Config{Seed: 1, Live: true, Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.Options{SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	a := &journaling{t: t, j: j}
	h := NewHandler(Options{Appender: a})
	var body, buf []byte
	samples := 0
	for {
		q, ok := g.Next(g.Config().StartMs + 3*60_000)
		if !ok {
			break
		}
		body, buf = q.AppendBody(body[:0], buf)
		if w := post(h, body); w.Code != 204 {
			t.Fatalf("answer %d %s", w.Code, w.Body)
		}
		got := a.seen[len(a.seen)-1]
		want := flatten(t, got.sender, got.receivedMs, q.Entries, q.Samples, q)
		if !got.equal(want) {
			t.Fatalf("request %d of %d samples arrived as %d others", len(a.seen), len(want.samples), len(got.samples))
		}
		samples += len(want.samples)
	}
	if samples < 1000 {
		t.Fatalf("only %d samples were made", samples)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = journal.Open(dir, journal.Options{}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	d := NewDecoder(Limits{})
	n := 0
	if err := j.Replay(0, func(pos uint64, r journal.Record) error {
		var b series.Batch
		if _, err := d.Decode(Proto(r.Proto), Encoding(r.Encoding), r.Body, &b); err != nil {
			return err
		}
		if got := flatten(t, r.Sender, r.ReceivedMs, b.Entries, b.Samples, b.Labels); int(pos) != n+1 || !got.equal(a.seen[n]) {
			t.Fatalf("record %d at position %d is another request", n, pos)
		}
		n++
		return nil
	}); err != nil || n != len(a.seen) {
		t.Fatalf("replayed %d of %d requests, %v", n, len(a.seen), err)
	}
	t.Logf("%d samples in %d requests", samples, n)
}
