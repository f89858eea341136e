// Package trial says what a model would notice. A formula for that would be another model of the model, and wrong as soon as a constant changes; so a copy is fed
// what the model itself expects, with its own scatter, plus a change, and one looks whether and when it alarms.
package trial

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model"
)

const hourMs = 3_600_000

// Notice is the smallest change that would be noticed within a span, in the signal's unit, as a distance from what is expected. NaN
// means that none would: not on that side, or only one beyond a thousandfold.
type Notice struct {
	WithinMs int64
	Up, Down float64
}

// NoticeSpans are a quarter of an hour, an hour, a day and a week, in ms.
var NoticeSpans = [...]int64{15 * 60_000, hourMs, 24 * hourMs, 7 * 24 * hourMs}

// stepsMax bounds the windows that a shadow is fed for one question.
const stepsMax = 7 * 24 * 60

// Clock tells civil time: the moment of an instant, Unix ms.
type Clock func(t int64) model.Moment

// shadow is a copy of a model that is fed what would have come, changed. What would have come says a second copy, which nothing happens to: the first one gets used
// to the change, and were it asked, each step of that would be added to what it is fed.
type shadow struct {
	m     model.Model
	quiet model.Model
	p     model.Params
	at    Clock
	noise uint64
}

// newShadow returns a shadow of m; ok is false while m has not seen its first windows. m is not changed.
func newShadow(m *model.Model, p *model.Params, at Clock) (s *shadow, ok bool) {
	s = &shadow{p: p.Sane(), at: at}
	s.m, ok = m.Shadow(&s.p)
	s.quiet = s.m
	return s, ok
}

// normal returns the next value of a fixed sequence that is about normal, within ±2.5.
func (s *shadow) normal() float64 {
	sum := -6.
	for range 12 {
		s.noise = s.noise*6364136223846793005 + 1442695040888963407
		sum += float64(s.noise>>11) / (1 << 53)
	}
	return clamp(sum, -2.5, 2.5)
}

// next feeds the next window: what is expected, with scatter, as change makes it.
func (s *shadow) next(change func(v, expected float64) float64) model.Judgement {
	at := s.at(s.m.Newest() + s.p.StepMs)
	expected, v := s.quiet.Draw(&s.p, at, s.normal())
	s.quiet.Observe(&s.p, at, s.bounded(v))
	return s.m.Observe(&s.p, at, s.bounded(change(v, expected)))
}

// bounded is a value that the signal can have.
func (s *shadow) bounded(v float64) float64 {
	return clamp(v, max(s.p.Min, -math.MaxFloat64), min(s.p.Max, math.MaxFloat64))
}

// band is what is expected of the next window.
func (s *shadow) band() model.Band { return s.m.Predict(&s.p, s.at(s.m.Newest()+s.p.StepMs)) }

func clamp(v, lo, hi float64) float64 { return min(max(v, lo), hi) }

// feed lets windows pass until an alarm or the end of a span, each changed by so much, and returns the last judgement.
func (s *shadow) feed(change float64, withinMs int64) (j model.Judgement) {
	for range min(max(withinMs/max(s.p.StepMs, 1), 1), stepsMax) {
		if j = s.next(func(v, _ float64) float64 { return v + change }); j.State.Alarm() {
			break
		}
	}
	return j
}

// notices reports whether a change that lasts is noticed within a span, whatever the noise: with each of a few sequences of it.
func notices(m *model.Model, p *model.Params, at Clock, change float64, withinMs int64) bool {
	tries := 4
	if withinMs > 24*hourMs {
		tries = 1 // many windows are many tries
	}
	for k := range tries {
		s, _ := newShadow(m, p, at)
		s.noise = uint64(k) << 32
		j := s.feed(change, withinMs)
		if !j.State.Alarm() || (j.State != model.Low) != (change > 0) && j.State != model.Drifting {
			return false
		}
	}
	return true
}

// Detect returns the smallest lasting change that would be noticed within each of NoticeSpans, were the signal what is expected of it, with its usual scatter,
// until now. It takes a tenth of a second of CPU, does not change m, and gives nil while m has not seen its first windows. Sizes are exact to a tenth; the
// scatter that is fed is independent from window to window, so slow wandering of a signal's own may hide or feign a little more.
func Detect(m *model.Model, p *model.Params, at Clock) []Notice {
	s, ok := newShadow(m, p, at)
	if !ok {
		return nil
	}
	band := s.band()
	out := make([]Notice, len(NoticeSpans))
	for i, span := range NoticeSpans {
		out[i] = Notice{WithinMs: span, Up: math.NaN(), Down: math.NaN()}
	}
	for side, sign := range [2]float64{1, -1} {
		if s.p.Bad == [2]model.Direction{model.Down, model.Up}[side] {
			continue
		}
		// What was noticed within a shorter span is noticed within a longer one, so each search ends where the one before did.
		largest := 1000 * max(band.Upper-band.Lower, math.Abs(band.Expected), s.p.EffectAbs)
		if room := s.room(band)[side]; room-room == 0 {
			largest = min(largest, max(room, 0))
		}
		known := false
		for i, span := range NoticeSpans {
			least := [2]*float64{&out[i].Up, &out[i].Down}[side]
			quiet, _ := newShadow(m, p, at)
			if known && span > 24*hourMs && quiet.feed(0, span).State.Alarm() {
				*least = largest // a week of scatter alone raises an alarm, so what it would find says nothing
				continue
			}
			if !known && !(largest > 0 && notices(m, p, at, sign*largest, span)) {
				continue
			}
			lo, hi := largest/2e6, largest
			if known {
				lo = largest / 100
			}
			for hi > 1.1*lo {
				mid := math.Sqrt(lo * hi)
				if notices(m, p, at, sign*mid, span) {
					hi = mid
				} else {
					lo = mid
				}
			}
			known, largest, *least = true, hi, hi
		}
	}
	return out
}

// room says how far what is expected is from the bounds of the signal, above and below.
func (s *shadow) room(b model.Band) [2]float64 {
	return [2]float64{s.p.Max - b.Expected, b.Expected - s.p.Min}
}

// Fault is a kind of trouble that Trial injects.
type Fault uint8

// The faults. Sizes are chosen so that a person would want to hear of them.
const (
	NoFault    Fault = iota // a quiet day: an alarm is false
	Doubled                 // twice what is expected for an hour, or half where less is bad
	Gone                    // zero for half an hour, where less is bad
	Shifted                 // four hours at three half-widths of the band beyond what is expected, at least twice the smallest effect
	Creeping                // a slow move to twice what is expected within a day, or to half
	Stuck                   // the last value for four hours
	FaultKinds              // how many there are
)

// String returns the fault in words.
func (f Fault) String() string {
	return [...]string{"quiet day", "doubled", "gone", "shifted", "creeping", "stuck"}[f%FaultKinds]
}

// Run injects a fault into a shadow of m and returns after how many ms it alarms, -1 when it does not. ok is false when the fault means
// nothing to the signal: what is zero cannot double, and a signal with a bad side may rest. m is not changed.
func Run(m *model.Model, p *model.Params, at Clock, f Fault) (afterMs int64, ok bool) {
	s, ok := newShadow(m, p, at)
	if !ok {
		return 0, false
	}
	band := s.band()
	down := s.p.Bad == model.Down
	usual := math.Abs(band.Expected)
	effect := min(max(s.p.EffectAbs, s.p.EffectRel*usual), math.MaxFloat64)
	length := int64(24 * hourMs)
	n := 0.
	var stuck float64
	change := func(v, _ float64) float64 { return v }
	switch f {
	case Doubled, Creeping:
		// A share cannot double beyond its end; half of the room is a fault worth hearing then.
		target := func(e float64) float64 {
			if down {
				return e / 2
			}
			if !math.IsInf(s.p.Max, 0) {
				return min(2*e, e+(s.p.Max-e)/2)
			}
			return 2 * e
		}
		if usual < 2*max(s.p.EffectAbs, 1e-12) || s.p.Mode == model.Event || math.Abs(target(band.Expected)-band.Expected) < s.p.EffectAbs {
			return 0, false
		}
		total := float64(length / s.p.StepMs)
		if f == Doubled {
			length = hourMs
			change = func(v, e float64) float64 { return v + target(e) - e }
		} else {
			change = func(v, e float64) float64 { return v + min(n/total, 1)*(target(e)-e) }
		}
	case Gone:
		if s.p.Bad == model.Up || usual < 2*max(s.p.EffectAbs, 1e-12) || s.p.Min > 0 {
			return 0, false
		}
		length = hourMs / 2
		change = func(float64, float64) float64 { return 0 }
	case Shifted:
		length = 4 * hourMs
		change = func(v, e float64) float64 {
			if down {
				return v - max(3*(band.Expected-band.Lower), 2*effect)
			}
			return v + max(3*(band.Upper-band.Expected), 2*effect)
		}
		by, room := change(0, 0), s.room(band)
		if by > 0 && room[0] < by || by < 0 && room[1] < -by {
			return 0, false
		}
	case Stuck:
		if s.p.Bad != model.Both || s.p.Mode == model.Event || !s.m.Moves() {
			return 0, false
		}
		length = 4 * hourMs
		stuck = math.NaN()
		change = func(v, _ float64) float64 {
			if math.IsNaN(stuck) {
				stuck = v
			}
			return stuck
		}
	}
	for range min(max(length/s.p.StepMs, 1), stepsMax) {
		n++
		j := s.next(change)
		if j.State.Alarm() {
			return int64(n) * s.p.StepMs, true
		}
	}
	return -1, true
}
