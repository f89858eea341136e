package model

import (
	"math"
	"sync"
	"testing"
)

// scene is one window before one test or one excuse: what the model has learned, what the rule wants, and the value.
type scene struct {
	m     Model
	p     Params
	at    Moment
	v     float64
	known bool    // excused, for tests
	block float64 // mean of the quarter of an hour that closed with the window, in sigmas; 0 = none closed
	ends  ends    // cells of the rings that ended
}

// mature has learned four weeks of noise around 100 with a scatter of 5, the newest window on a Monday at midnight.
var mature = sync.OnceValue(func() *run {
	r := newRun(Defaults())
	r.feed(28*perDay, gauss, rnd(71))
	return r
})

// newScene returns the mature model at noon, before a usual value.
func newScene() *scene {
	r := mature()
	return &scene{m: r.m, p: r.p, at: moment(r.at + 12*hourMs), v: 100}
}

// window is what judge makes of a window before the tests speak. Values lie where they lie, however quickly they came there.
func (s *scene) window() (q prediction, l lesson) {
	s.m.predict(&s.p, s.at, &q)
	l = lesson{at: s.at, v: s.v, y: s.m.y(s.v), known: s.known}
	l.e = l.y - q.yhat
	l.z = l.e / q.sig
	l.w = l.z / q.rv
	if s.block != 0 {
		l.closed, l.bz, l.bw = true, s.block, s.block
	}
	s.m.measure(&s.p, &q, &l)
	return q, l
}

// twin is a scene that must be heard, and one that differs from it in what the name says and must not. Each change is made to a scene that all begins.
type twin struct {
	name        string
	loud, quiet func(s *scene)
}

// hear plays both scenes of each row.
func hear(t *testing.T, all func(s *scene), speaks func(s *scene) bool, rows []twin) {
	t.Helper()
	for _, row := range rows {
		for want, change := range map[bool]func(*scene){true: row.loud, false: row.quiet} {
			s := newScene()
			all(s)
			if change != nil {
				change(s)
			}
			if got := speaks(s); got != want {
				t.Errorf("%s: speaks %v, want %v", row.name, got, want)
			}
		}
	}
}

// fill writes levels, in the signal's unit, into the newest cells of a ring, of which newest is the number.
func (s *scene) fill(ring []int16, newest int32, level func(back int) float64) {
	for k := range ring {
		if at := newest - int32(k); at >= 0 {
			ring[at%int32(len(ring))] = pack(float32(s.m.y(level(k))))
		}
	}
}

// hours makes the days of a scene: each hour's level, in the signal's unit, by the day where week is false.
func (s *scene) hours(week bool, level func(how int) float64) {
	s.m.mode, s.m.off = 1, [3]float32{}
	s.m.flags |= flagReady
	for h := range s.m.byHour {
		s.m.byHour[h] = pack(float32(s.m.y(level(h))))
	}
	for h := range s.m.byWeek {
		s.m.byWeek[h] = noCell
	}
	for i := range s.m.scale {
		s.m.scale[i] = 128
	}
	s.m.weekUnit = 8 * unit
	if week {
		s.m.mode = 2
		for h := range s.m.byWeek {
			s.m.setCell(h, float32(s.m.y(level(h)))-float32(s.m.byHour[h%24])*unit)
		}
		for d := range s.m.weekday {
			s.m.weekday[d] = 200
		}
		s.m.err = [3]float32{1, 1, .1}
	}
	s.m.setMean()
}

func nearly(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
