package baseline_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/signal"
)

// TestReloadKeepsWhatIsStillAsked takes packs away and brings them back: what was always asked is judged to the bit as if nothing had
// happened, what was away begins anew, and a set of rules that does not compile changes nothing.
func TestReloadKeepsWhatIsStillAsked(t *testing.T) {
	end := scenario.Epoch + 4*hour
	whole := newSink()
	a := engine(t, whole)
	play(a, generator(t), end)

	some := packs(t)[:1]
	s := newSink()
	b := engine(t, s)
	g := generator(t)
	play(b, g, scenario.Epoch+hour)
	before := b.AppendStream(nil)
	bad := []*pack.Pack{{Name: "bad", Rules: []*pack.Rule{{Name: "a.b", Exprs: []string{"sum("}}}}}
	if _, err := b.Reload(signal.StreamOptions{Packs: bad}, nil); err == nil {
		t.Error("a rule that does not compile is taken")
	}
	if _, err := b.Reload(signal.StreamOptions{Packs: some}, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, b.AppendStream(nil)) {
		t.Error("a reload that was not committed has changed the engine")
	}
	all := len(b.View().Signals)
	for _, p := range [][]*pack.Pack{some, packs(t)} {
		commit, err := b.Reload(signal.StreamOptions{Packs: p}, nil)
		if err != nil {
			t.Fatal(err)
		}
		res := commit()
		if res.Kept == 0 || len(p) == 1 && res.Kept+res.Dropped != all || len(p) > 1 && res.Dropped != 0 || len(b.View().Signals) != res.Kept {
			t.Errorf("%d packs: %+v of %d, the view shows %d", len(p), res, all, len(b.View().Signals))
		}
		play(b, g, g.Now()+30*60_000)
	}
	play(b, g, end)
	stayed, began := 0, 0
	for id, v := range whole.verdicts {
		w, ok := s.verdicts[id]
		if !ok {
			continue // one that gives few values
		}
		if v.Signal.Rule.Pack == some[0].Name {
			stayed++
			if math.Float64bits(v.Value) != math.Float64bits(w.Value) || v.Judgement != w.Judgement {
				t.Errorf("%s: %v %+v\nwithout a reload %v %+v", id, w.Value, w.Judgement, v.Value, v.Judgement)
			}
		} else if w.T > scenario.Epoch+2*hour {
			began++
			if w.Seen >= v.Seen && v.Seen > 180 {
				t.Errorf("%s: %d windows, %d without a reload", id, w.Seen, v.Seen)
			}
		}
	}
	if stayed < 5 || began < 100 {
		t.Errorf("%d signals stayed, %d began anew", stayed, began)
	}
	if len(s.verdicts) < len(whole.verdicts)*99/100 {
		t.Errorf("%d signals were judged, %d without a reload", len(s.verdicts), len(whole.verdicts))
	}
	// The state of a reloaded engine is one that a restart takes.
	next := engine(t, newSink())
	if err := next.Restore(1, baseline.State(b), baseline.Kept(b.Models)); err != nil {
		t.Fatal(err)
	}
	if err := next.RestoreView(b.AppendView(nil)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(next.AppendStream(nil), b.AppendStream(nil)) || !bytes.Equal(next.AppendView(nil), b.AppendView(nil)) {
		t.Error("the restored state differs")
	}
}

// TestRetiredSignalsTakeTheirModels holds that a signal that is dropped for want of values leaves nothing behind, and that another
// that gets its number is learned from nothing.
func TestRetiredSignalsTakeTheirModels(t *testing.T) {
	s := newSink()
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs(t), RetireMs: hour}, Sink: s})
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		for range e.Models {
			n++
		}
		return n
	}
	play(e, generator(t), scenario.Epoch+hour)
	before := count()
	// Another cluster lives on; the first has fallen silent.
	g, err := scenario.New(scenario.Config{Seed: 6, Cluster: "other", StartMs: scenario.Epoch + hour})
	if err != nil {
		t.Fatal(err)
	}
	play(e, g, scenario.Epoch+4*hour)
	e.Publish()
	st := e.Stats()
	if int(st.Retired) < before || st.Signals != count() || count() == 0 || len(e.View().Signals) != count() {
		t.Errorf("%d of %d signals retired; %d signals, %d models, %d shown", st.Retired, before, st.Signals, count(), len(e.View().Signals))
	}
	for _, v := range e.View().Signals {
		if v.Signal.Entity.Get("cluster") != "other" {
			t.Errorf("%s is still shown", v.Signal.ID)
		}
	}
	if max := before + count(); len(e.AppendView(nil)) > 400*max {
		t.Errorf("the view of %d signals has %d bytes", max, len(e.AppendView(nil)))
	}
}
