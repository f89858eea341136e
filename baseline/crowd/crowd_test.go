package crowd_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline/crowd"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/ingest"
)

const begin = int64(1_772_409_600_000)

// play folds some minutes of a crowd into a stream of all packs and returns what that says.
func play(t *testing.T, c crowd.Config, minutes int) (*crowd.Crowd, signal.Stats, int) {
	t.Helper()
	w, err := crowd.New(c)
	if err != nil {
		t.Fatal(err)
	}
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	alive := map[string]bool{}
	s, err := signal.NewStream(signal.StreamOptions{Packs: packs}, func(w *signal.Window) {
		for i := range w.Observations {
			alive[w.Observations[i].Signal.ID] = true
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var q crowd.Request
	for m := range 2 * minutes {
		for r := range w.Requests() {
			at := begin + int64(m)*30_000 + int64(r)*30_000/int64(w.Requests())
			w.Fill(&q, r, at, at+5)
			if got := s.Apply(&q.Batch); got.Rejected > 0 {
				t.Fatal(got)
			}
		}
	}
	return w, s.Stats(), len(alive)
}

// TestCrowdMakesItsSignals holds that a crowd has the series, clusters and signals that it was asked for, whatever the shape.
func TestCrowdMakesItsSignals(t *testing.T) {
	for _, c := range []crowd.Config{
		{Clusters: 1, Series: 9000, Signals: 1000},
		{Clusters: 4, Series: 18_000, Signals: 3600},
		{Clusters: 3, Series: 6000, Signals: 1500, RequestMax: 500},
		{Clusters: 2, Series: 4000, Signals: 0},
		{Clusters: 2, Series: 9000, Signals: 1000, Quiet: true},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			w, st, alive := play(t, c, 12)
			want, clusters := c.Signals, c.Clusters
			if c.Quiet || c.Signals == 0 {
				want, clusters = 0, 0 // a cluster of which nothing is asked is not begun
			}
			if w.Series() != c.Series || st.Series != c.Series || len(st.Clusters) != clusters || len(st.Senders) != c.Clusters {
				t.Errorf("%d series, the stream knows %d of %d clusters and %d senders", w.Series(), st.Series, len(st.Clusters), len(st.Senders))
			}
			if alive < want*9/10 || alive > want*11/10 {
				t.Errorf("%d signals gave values, want about %d", alive, want)
			}
			t.Logf("%d signals of %d, %d series tracked, %d rules", alive, want, st.Tracked, len(st.Rules))
		})
	}
}

// TestCrowdNeedsRoom holds that signals which cannot be made of the series are refused.
func TestCrowdNeedsRoom(t *testing.T) {
	if _, err := crowd.New(crowd.Config{Series: 1000, Signals: 1000}); !errors.Is(err, crowd.ErrFew) {
		t.Errorf("%v", err)
	}
	if _, err := crowd.New(crowd.Config{Series: 5_000_000}); err == nil {
		t.Error("five million series are made")
	}
}

// TestBodyIsTheBatch holds that a receiver decodes what the batch says.
func TestBodyIsTheBatch(t *testing.T) {
	w, err := crowd.New(crowd.Config{Clusters: 2, Series: 3000, Signals: 100})
	if err != nil {
		t.Fatal(err)
	}
	d := ingest.NewDecoder(ingest.Limits{})
	var q crowd.Request
	var body, scratch []byte
	raw := 0
	for r := range w.Requests() {
		w.Fill(&q, r, begin, begin+5)
		body, scratch = q.AppendBody(body[:0], scratch)
		raw += len(scratch)
		var b series.Batch
		if _, err := d.Decode(ingest.V1, ingest.Snappy, body, &b); err != nil {
			t.Fatal(err)
		}
		if len(b.Samples) != len(q.Samples) || len(b.Entries) != len(q.Entries) {
			t.Fatalf("%d samples, want %d", len(b.Samples), len(q.Samples))
		}
		for i := range b.Entries {
			got, err1 := b.Labels.AppendLabels(nil, i)
			want, err2 := q.AppendLabels(nil, i)
			if err1 != nil || err2 != nil || got.String() != want.String() || b.Samples[i] != q.Samples[i] {
				t.Fatalf("entry %d: %s %v, want %s %v", i, got, b.Samples[i], want, q.Samples[i])
			}
			if _, err := series.Canonical(want); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d B a sample before compression", raw/w.Series())
}
