package model

import (
	"math/rand/v2"
	"testing"
)

// A clock that was ahead by ten minutes to a year and is put right: what was learned stays, and the next deviation alarms as quickly as it would have. A window or two out of order are skipped as ever.
func TestClockTurnedBack(t *testing.T) {
	const minute = int64(60_000)
	seed := rand.Uint64()
	p := Defaults()
	moment := func(t int64) Moment {
		return Moment{T: t, HourOfWeek: int(t / hourMs % 168), HourFrac: float64(t%hourMs) / hourMs, Day: int32(t / (24 * hourMs))}
	}
	for _, ahead := range []int64{0, 10 * minute, hourMs, 24 * hourMs, 365 * 24 * hourMs} {
		r := rand.New(rand.NewPCG(seed, 1))
		value := func() float64 { return 100 + r.NormFloat64() }
		var m Model
		m.Init(&p)
		at := int64(1_785_542_400_000)
		for range 3 * 1440 {
			at += minute
			m.Observe(&p, moment(at), value())
		}
		for i := range int64(5) {
			m.Observe(&p, moment(at+ahead+i*minute), value())
		}
		at += 5 * minute
		m.TurnBack(at - 2*minute)
		if j := m.Observe(&p, moment(at), value()); j.Skipped || j.State != Normal || j.Band.Upper-j.Band.Lower > 60 {
			t.Fatalf("seed %d: ahead by %d min and back: %+v", seed, ahead/minute, j)
		}
		if j := m.Observe(&p, moment(at-2*minute), value()); !j.Skipped {
			t.Errorf("seed %d: a window out of order was judged", seed)
		}
		for range 30 {
			at += minute
			m.Observe(&p, moment(at), value())
		}
		rose := int64(0)
		for i := range int64(10) {
			at += minute
			j := m.Observe(&p, moment(at), 2*value())
			if j.State.Alarm() && rose == 0 {
				if rose = i + 1; j.Onset > at || j.Onset < at-10*minute {
					t.Errorf("seed %d: onset %d min from now", seed, (j.Onset-at)/minute)
				}
			}
		}
		if rose == 0 || rose > 5 {
			t.Errorf("seed %d: ahead by %d min and back: a doubled value alarms after %d min", seed, ahead/minute, rose)
		}
		var again Model
		if err := again.UnmarshalBinary(m.AppendBinary(nil)); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}
