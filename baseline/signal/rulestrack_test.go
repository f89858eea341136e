package signal

import (
	"testing"

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
