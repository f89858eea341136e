package model

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/model/counts"
	"github.com/wrackline/wrackline/baseline/model/field"
)

// kinds are workloads of the same kind: each call makes another one, of its own size and scatter.
var kinds = map[string]func(r *rand.Rand) series{
	"even": func(r *rand.Rand) series {
		sd := .06 * math.Exp(.3*r.NormFloat64())
		return func(_ int, r *rand.Rand) float64 { return math.Exp(sd * r.NormFloat64()) }
	},
	"slow": func(r *rand.Rand) series {
		sd, x := .1*math.Exp(.3*r.NormFloat64()), r.NormFloat64()
		return func(_ int, r *rand.Rand) float64 {
			x = .97*x + math.Sqrt(1-.97*.97)*r.NormFloat64()
			return math.Exp(sd*x + .03*r.NormFloat64())
		}
	},
	"heavy": func(r *rand.Rand) series {
		sd := .05 * math.Exp(.3*r.NormFloat64())
		return func(_ int, r *rand.Rand) float64 {
			return math.Exp(sd * r.NormFloat64() * math.Sqrt(3/(.1+r.ExpFloat64()+r.ExpFloat64()+r.ExpFloat64())))
		}
	},
	"daily": func(r *rand.Rand) series {
		sd, deep := .06*math.Exp(.3*r.NormFloat64()), 1.1+.1*r.Float64()
		return func(i int, r *rand.Rand) float64 {
			return (deep - math.Cos((float64(i%perDay)/60-3)/12*math.Pi)) * math.Exp(sd*r.NormFloat64())
		}
	},
	"weekly": func(r *rand.Rand) series {
		sd := .06 * math.Exp(.3*r.NormFloat64())
		return func(i int, r *rand.Rand) float64 { return daily(i, r) * math.Exp(sd*r.NormFloat64()) }
	},
	"own hours": func(r *rand.Rand) series {
		sd, ph := .06*math.Exp(.3*r.NormFloat64()), 24*r.Float64()
		return func(i int, r *rand.Rand) float64 {
			return (1.3 - math.Cos((float64(i%perDay)/60-ph)/12*math.Pi)) * math.Exp(sd*r.NormFloat64())
		}
	},
}

// learned returns n mature siblings of very different size, and the number of the next window.
func learned(t *testing.T, p Params, n, days int, mk func(r *rand.Rand) series, src *rand.Rand) ([]*Model, int) {
	t.Helper()
	var list []*Model
	for range n {
		s, size := mk(src), math.Pow(10, 2*src.Float64())
		r := newRun(p)
		r.feed(days*perDay, func(i int, src *rand.Rand) float64 { return size * s(i, src) }, src)
		if r.m.Mature(r.at) {
			list = append(list, &r.m)
		}
	}
	return list, days * perDay
}

// born feeds a new signal that may borrow, from window start on.
func born(p Params, pr *Prior, start int) *run {
	r := newRun(p)
	r.at, r.n = monday+int64(start)*p.StepMs, start
	r.prior = pr
	return r
}

// A new workload of another size than its siblings, ten times smaller or larger, is no news in its first two days, whatever its days look
// like; also when it is on its way to its level at first, as after a start.
func TestNewWorkloadIsNoNews(t *testing.T) {
	t.Parallel()
	newWorkloads(t, Defaults())
}

// The same for metrics of which nothing is known.
func TestNewTrackedMetricIsNoNews(t *testing.T) {
	t.Parallel()
	newWorkloads(t, blind())
}

func newWorkloads(t *testing.T, p Params) {
	const trials = 48
	for name, mk := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const seed = 1201
			src := rnd(seed)
			p := p
			list, end := learned(t, p, 8, 15, mk, src)
			pr := NewPrior(&p, list, false)
			alone, lent, early := 0, 0, 0
			for k := range trials {
				start := end + src.IntN(7*perDay)
				size := 10 * []float64{.01, .1, 1, 10}[k%4]
				s, rise := mk(src), k%3 == 0
				seed2 := src.Uint64()
				f := func(i int, r *rand.Rand) float64 {
					v := size * s(i, r)
					if rise { // a start: from a tenth to the level within minutes
						v *= 1 - .9*math.Exp(-float64(i-start)/4)
					}
					return v
				}
				for _, b := range []*Prior{nil, &pr} {
					r := born(p, b, start)
					r.each = func(i int, _ float64, _ Judgement) {
						if b != nil && i == start+warmUp-10 && r.m.Borrowed() > 0 {
							early++
						}
					}
					r.feed(2*perDay, f, rnd(seed2))
					if len(r.alarms) > 0 && b == nil {
						alone++
					} else if len(r.alarms) > 0 {
						lent++
						t.Logf("seed %d, trial %d, ×%g: %v, born %d", seed, k, size, r.alarms, start)
					}
				}
			}
			t.Logf("%d siblings, scatter %.3f, season %d: of %d new workloads %d began with the siblings' word; alarms in two days: %d, without it %d",
				len(list), pr.rel, pr.season, trials, early, lent, alone)
			if lent > 0 && !p.Extremes || lent > alone { // what is unknown is judged by its extremes, at a risk
				t.Errorf("seed %d: %d of %d new workloads raised alarms, without siblings %d", seed, lent, trials, alone)
			}
			if name == "own hours" {
				if early > 0 { // days that are not alike are not lent
					t.Errorf("seed %d: %d of %d new workloads borrowed days that are not theirs", seed, early, trials)
				}
			} else if early < trials/3 {
				t.Errorf("seed %d: only %d of %d new workloads borrowed anything", seed, early, trials)
			}
		})
	}
}

// A signal that began with its siblings' word alarms within five windows when it trebles or stops, from its twelfth window on (one in twenty
// may take longer: nights near zero are known least); one without
// siblings says nothing in its first thirty, whatever happens.
func TestInheritedSignalIsProtected(t *testing.T) {
	t.Parallel()
	for kind, p := range map[string]Params{"of a pack": Defaults(), "unknown": blind()} {
		t.Run(kind, func(t *testing.T) { inherited(t, p) })
	}
}

func inherited(t *testing.T, p Params) {
	const seed = 1301
	src := rnd(seed)
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if name == "own hours" {
			continue // see TestNewWorkloadIsNoNews
		}
		list, end := learned(t, p, 8, 15, kinds[name], src)
		pr := NewPrior(&p, list, false)
		found, tried, within := 0, 0, 5
		if name == "weekly" {
			within = 10 // its Mondays make heavy tails, for siblings too
		}
		for k := range 30 {
			start := end + src.IntN(7*perDay)
			s, size := kinds[name](src), math.Pow(10, 3*src.Float64())
			factor := []float64{3, 0, 5}[k%3]
			f := func(i int, r *rand.Rand) float64 {
				if i >= start+12 {
					return factor * size * s(i, r)
				}
				return size * s(i, r)
			}
			was := src.Uint64()
			r := born(p, &pr, start)
			r.feed(12, f, rnd(was))
			if r.m.Borrowed() == 0 {
				continue
			}
			if r.last.Borrowed != len(list) || r.last.Seen != 12 || r.last.State != Learning {
				t.Fatalf("seed %d, %s: %+v", seed, name, r.last)
			}
			tried++
			r.feed(within, f, rnd(was+1))
			if len(r.alarms) == 1 && (r.alarms[0].state == High) == (factor > 1) {
				found++
			} else {
				t.Logf("seed %d, %s ×%g: %v, band %+v", seed, name, factor, r.alarms, r.last.Band)
			}
			u := born(p, nil, start)
			u.feed(30, f, rnd(was))
			if len(u.alarms) > 0 || u.last.Borrowed != 0 {
				t.Errorf("seed %d, %s: a signal without siblings alarms in its first thirty windows: %v", seed, name, u.alarms)
			}
		}
		t.Logf("%s: %d of %d found within %d windows", name, found, tried, within)
		if tried < 15 || found*20 < tried*19 {
			t.Errorf("seed %d, %s: %d of %d found within %d windows", seed, name, found, tried, within)
		}
	}
}

// A share of errors is known from birth: where siblings have next to none, half of all is news within five windows; what differs by less than
// is worth a message is none; and what stays is adopted in the end, since it is this workload's own.
func TestSharesBorrowTheirLevel(t *testing.T) {
	t.Parallel()
	const seed = 1401
	src := rnd(seed)
	p := Defaults()
	p.Bad, p.Season, p.Min, p.Max, p.EffectAbs, p.EffectRel = Up, NoSeason, 0, 1, .02, 0
	share := func(of float64) series { // of 500 events
		return func(_ int, r *rand.Rand) float64 {
			return math.Round(clamp(of*500+math.Sqrt(of*500)*r.NormFloat64(), 0, 500)) / 500
		}
	}
	var list []*Model
	for k := range 12 {
		r := newRun(p)
		r.feed(4*perDay, share([]float64{0, .0005, .001, .002}[k%4]), src)
		list = append(list, &r.m)
	}
	pr := NewPrior(&p, list, true)
	start := 4 * perDay
	for _, of := range []float64{.2, .5, 1} {
		r := born(p, &pr, start)
		r.feed(5, share(of), src)
		if len(r.alarms) != 1 || r.alarms[0].state != High || r.last.Borrowed != 12 {
			t.Errorf("seed %d: %g from birth: %v, %+v", seed, of, r.alarms, r.last)
		}
		r.feed(40*60, share(of), src)
		if r.last.State.Alarm() || len(r.alarms) != 1 {
			t.Errorf("seed %d: %g from birth, 40 hours later: %v, %v", seed, of, r.last.State, r.alarms)
		}
		r.feed(12*60, share(of), src)
		if of < .5 {
			if n := r.alarmWithin(10, share(.6), src); n < 0 {
				t.Errorf("seed %d: a new level of %g is not guarded", seed, of)
			}
		}
	}
	for k := range 40 {
		r := born(p, &pr, start)
		r.feed(2*perDay, share([]float64{0, .0005, .002, .008}[k%4]), src)
		if len(r.alarms) > 0 || r.last.Borrowed != 0 {
			t.Errorf("seed %d, trial %d: %v, still borrowed from %d", seed, k, r.alarms, r.last.Borrowed)
		}
	}
	if pr := NewPrior(&p, list[:7], true); pr.level {
		t.Error("seven siblings lend their level")
	}
	if pr := NewPrior(&p, list, false); pr.level {
		t.Error("what is no share of events borrows its level")
	}
	for k := range 4 { // one in three has habits of its own
		r := newRun(p)
		r.feed(4*perDay, share(.2), src)
		list[k] = &r.m
	}
	if pr := NewPrior(&p, list, true); pr.level {
		t.Error("siblings that differ lend their level")
	}
}

// Few siblings, young ones, those in alarm and those of another step lend nothing; neither does anything to signals with laws of their own.
func TestWhoLends(t *testing.T) {
	t.Parallel()
	src := rnd(1501)
	p := Defaults()
	list, end := learned(t, p, 4, 3, kinds["even"], src)
	if pr := NewPrior(&p, list, false); len(list) != 4 || !pr.Known() {
		t.Fatalf("%d siblings lend nothing", len(list))
	}
	if pr := NewPrior(&p, list[:3], false); pr.Known() {
		t.Error("three siblings lend")
	}
	q := p
	q.StepMs *= 5
	if pr := NewPrior(&q, list, false); pr.Known() {
		t.Error("siblings of another step lend")
	}
	q = p
	q.Extremes = true
	if pr := NewPrior(&q, list, false); pr.Known() {
		t.Error("siblings lend to signals that are judged by their extremes")
	}
	q = p
	q.Mode = Event
	if pr := NewPrior(&q, list, false); pr.Known() {
		t.Error("siblings lend to events")
	}
	now := monday + int64(end)*p.StepMs
	if !list[0].Mature(now) || list[0].Mature(now+2*hourMs) {
		t.Error("a sibling is mature while its windows come, and for an hour after")
	}
	r := newRun(p)
	r.feed(2*perDay-1, kinds["even"](src), src)
	if r.m.Mature(r.at) {
		t.Error("mature before two days")
	}
	r.feed(60, func(int, *rand.Rand) float64 { return 100 }, src)
	if !r.last.State.Alarm() || r.m.Mature(r.at) {
		t.Errorf("%v, mature %v", r.last.State, r.m.Mature(r.at))
	}
	// Scatter that is not the siblings' is not taken for it.
	pr := NewPrior(&p, list, false)
	for _, f := range []series{
		func(_ int, r *rand.Rand) float64 { return math.Exp(1.5 * r.NormFloat64()) },
		func(i int, r *rand.Rand) float64 { return float64(1 + i - end) },
		func(int, *rand.Rand) float64 { return 0 },
		func(i int, _ *rand.Rand) float64 { return []float64{1, -1}[i%2] },
		func(int, *rand.Rand) float64 { return 1e305 },
		func(int, *rand.Rand) float64 { return math.Inf(1) },
	} {
		r := born(p, &pr, end)
		r.feed(2*warmUp, f, src)
		if r.m.Borrowed() > 0 {
			t.Errorf("borrowed by what is not alike: %+v", r.last)
		}
	}
}

// A model that has borrowed is saved and goes on bit for bit; those of versions before are read as ones without what they did not have.
func TestBorrowedModelIsSaved(t *testing.T) {
	t.Parallel()
	src := rnd(1601)
	p := Defaults()
	list, end := learned(t, p, 6, 10, kinds["weekly"], src)
	pr := NewPrior(&p, list, false)
	f := kinds["weekly"](src)
	r := born(p, &pr, end)
	r.feed(40, f, src)
	if r.last.Borrowed != 6 || r.last.Seasonal == NoSeason {
		t.Fatalf("%+v", r.last)
	}
	data := r.m.AppendBinary(nil)
	var m Model
	if err := m.UnmarshalBinary(data); err != nil || m != r.m {
		t.Fatalf("%v", err)
	}
	const laterBytes = 8*counts.Classes + 28 + 80 + 4 + 1 // what follows since version 5, and version 6's lean
	older := append([]byte{4}, data[1:len(data)-laterBytes]...)
	if err := m.UnmarshalBinary(older); err != nil || m != r.m {
		t.Errorf("version 4: %v", err)
	}
	older = append([]byte{5}, data[1:len(data)-1]...)
	if err := m.UnmarshalBinary(older); err != nil || m != r.m {
		t.Errorf("version 5: %v", err)
	}
	c := codec{Walker: field.Walker{B: []byte{3}, Write: true}, from: 3}
	c.model(&r.m)
	if err := m.UnmarshalBinary(c.B); err != nil || m.Borrowed() != 6 || m.Seen() != 40 || m.first != r.m.first || m.lived != r.m.lived {
		t.Errorf("version 3: %v, %+v", err, m)
	}
	data[len(data)-1-laterBytes] = PriorMost + 1
	if m.UnmarshalBinary(data) == nil {
		t.Error("more siblings than are ever asked")
	}
}
