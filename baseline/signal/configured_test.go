package signal

import (
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

// Rules of the configuration give values like those of packs, and two may not have one name.
func TestTrackRulesInTheStream(t *testing.T) {
	p, err := pack.Track([]pack.TrackRule{{Match: "x_total", By: []string{"cluster", "job"}}, {Match: "g", Name: "my.gauge", Agg: "max", By: []string{"cluster"}}})
	if err != nil {
		t.Fatal(err)
	}
	s, rec := newTestStream(t, StreamOptions{Packs: []*pack.Pack{p}})
	feedSeries(s, t0, t0+300_000, 30_000, []string{`x_total{job="a"}`, `g`}, ramp)
	wantValues(t, "tracked counter", only(rec, "track.x_total~cluster=default~job=a"), 2, 3, 1)
	if v := rec.values["my.gauge~cluster=default"][t0+180_000]; v != 1180 {
		t.Errorf("tracked gauge: %v", v)
	}
	if p, err = pack.Track([]pack.TrackRule{{Match: "x_total"}, {Match: "x_total"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := NewStream(StreamOptions{Packs: []*pack.Pack{p}}, nil); err == nil {
		t.Error("two rules may have one name")
	}
}

// A signal that is off for an entity is not made, is counted, and stays off over a restart.
func TestOverridesInTheStream(t *testing.T) {
	p := packOf(&pack.Rule{Name: "wl.ready", Exprs: []string{`min by (namespace, workload) (ready)`}, Severity: pack.Page, Params: model.Defaults()})
	off := false
	if err := pack.ApplyOverrides(p, []pack.Override{
		{Match: "wl.ready", Where: map[string]string{"namespace": "off"}, Enabled: &off},
		{Match: "wl.ready", Where: map[string]string{"namespace": "low"}, Severity: pack.Info}}); err != nil {
		t.Fatal(err)
	}
	opts := StreamOptions{Packs: p}
	s, r := newTestStream(t, opts)
	names := []string{`ready{namespace="off",pod="a"}`, `ready{namespace="low",pod="b"}`, `ready{namespace="up",pod="c"}`}
	one := func(int, int64) float64 { return 1 }
	feedSeries(s, t0, t0+5*60_000, 60_000, names, one)
	check := func(s *Stream) {
		t.Helper()
		got := map[string]pack.Severity{}
		for _, x := range s.Signals() {
			got[x.Entity.Get("namespace")] = x.Rule.Severity
		}
		if len(got) != 2 || got["low"] != pack.Info || got["up"] != pack.Page {
			t.Errorf("signals %v", got)
		}
		if n := s.Stats().Disabled; n < 4 {
			t.Errorf("%d values counted as disabled", n)
		}
	}
	check(s)
	if len(r.values) != 2 {
		t.Errorf("values of %d signals", len(r.values))
	}
	state := s.AppendState(nil)
	again, _ := newTestStream(t, opts)
	if err := again.RestoreState(state); err != nil {
		t.Fatal(err)
	}
	check(again)
	if string(again.AppendState(nil)) != string(state) {
		t.Error("the restored state differs")
	}
	feedSeries(again, t0+6*60_000, t0+9*60_000, 60_000, names, one)
	check(again)
}
