//go:build linux

package main

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/crowd"
	"github.com/wrackline/wrackline/baseline/scenario"
)

// The soak: so many signals in so many clusters, every pod renewed once a day, a checkpoint each half hour, all in simulated time.
const (
	soakSignals    = 60_000 // unless WRACKLINE_SOAK_SIGNALS says otherwise
	soakPerSignal  = 3      // series
	soakClusters   = 2
	soakCheckpoint = 30 // minutes
	soakLine       = 4  // checkpoints between two lines
)

// TestSoak plays WRACKLINE_SOAK of simulated time (168h is a week) through engine, store and journal, as fast as that goes and for WRACKLINE_SOAK_FOR of
// real time at most, and holds that memory and journal do not grow once they are what they are. The store's file holds the charts' history and may
// grow until storage.retention; what of it is no payload is printed.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("WRACKLINE_SOAK"))
	if err != nil {
		t.Skip("WRACKLINE_SOAK says how much simulated time; make soak")
	}
	limit, err := time.ParseDuration(os.Getenv("WRACKLINE_SOAK_FOR"))
	if err != nil {
		limit = 6 * time.Hour
	}
	signals, err := strconv.Atoi(os.Getenv("WRACKLINE_SOAK_SIGNALS"))
	if err != nil {
		signals = soakSignals
	}
	a := scaleApp(t)
	s := &soaking{t: t, a: a, begun: time.Now()}
	for day := 0; s.minutes < int(length.Minutes()); day++ {
		// The same workloads with other pods: the series of the day before end without a word and are forgotten within the hour.
		if s.w, err = crowd.New(crowd.Config{Clusters: soakClusters, Series: signals * soakPerSignal, Signals: signals, Seed: uint64(day), Name: "soak"}); err != nil {
			t.Fatal(err)
		}
		for m := 0; m < 24*60 && s.minutes < int(length.Minutes()); m++ {
			s.minute()
			if s.minutes%soakCheckpoint == 0 {
				if err := a.checkpoint(); err != nil {
					t.Fatal(err)
				}
				s.checkpoints++
				if s.checkpoints%soakLine == 0 {
					s.line()
				}
			}
			if time.Since(s.begun) > limit {
				t.Logf("%s of real time are over after %s of simulated time", limit, time.Duration(s.minutes)*time.Minute)
				s.line()
				s.judge()
				return
			}
		}
	}
	s.judge()
}

// soaking is a soak under way.
type soaking struct {
	t           *testing.T
	a           *app
	w           *crowd.Crowd
	q           crowd.Request
	body, buf   []byte
	begun       time.Time
	minutes     int // played
	checkpoints int
	lines       []soakSize
}

// soakSize is how large everything was.
type soakSize struct {
	minutes                int
	heap, journal          float64 // MB; the heap with the crowd, which is always the same
	rss, file, free, holds float64 // MB; holds is what the file's records and their keys are
}

func (s *soaking) minute() {
	begin := scenario.Epoch + int64(s.minutes)*60_000
	for r := range s.w.Requests() {
		at := begin + int64(r)*60_000/int64(s.w.Requests())
		s.w.Fill(&s.q, r, at, at+5)
		s.body, s.buf = s.q.AppendBody(s.body[:0], s.buf)
		appendTo(s.t, s.a, &s.q.Batch, s.body)
	}
	s.minutes++
}

// line measures and prints.
func (s *soaking) line() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u, err := usageOfProcess(os.Getpid())
	if err != nil {
		s.t.Fatal(err)
	}
	st, es, js := s.a.store.Stats(), s.a.engine.Stats(), s.a.journal.Stats()
	const mb = 1 << 20
	z := soakSize{minutes: s.minutes, heap: float64(m.HeapAlloc) / mb, journal: float64(js.Bytes) / mb, rss: u.rss / mb, file: float64(st.FileBytes) / mb,
		free: float64(st.FreeBytes) / mb, holds: float64(st.SectionBytes+st.ModelBytes+st.HistoryBytes) / mb}
	s.lines = append(s.lines, z)
	s.t.Logf("%6.1f h  heap %5.0f MB  resident %5.0f MB  file %5.0f MB (%.0f free, %.0f held, history %.0f)  journal %5.0f MB  %d signals, %d series, %d tracked  %.0f CPU-s",
		float64(s.minutes)/60, z.heap, z.rss, z.file, z.free, z.holds, float64(st.HistoryBytes)/mb, z.journal, es.Signals, es.Series, es.Tracked, u.cpu)
}

// judge compares the last quarter with the second one: the first fills what is empty at the beginning. A day is needed, in which everything has
// happened once.
func (s *soaking) judge() {
	if s.minutes < 2*24*60 {
		return
	}
	most := func(lo, hi float64, of func(soakSize) float64) (v float64) {
		for _, z := range s.lines {
			if at := float64(z.minutes) / float64(s.minutes); at > lo && at <= hi {
				v = max(v, of(z))
			}
		}
		return v
	}
	for _, x := range []struct {
		what string
		of   func(soakSize) float64
	}{
		{"heap", func(z soakSize) float64 { return z.heap }},
		{"journal", func(z soakSize) float64 { return z.journal }},
	} {
		if then, now := most(.25, .5, x.of), most(.75, 1, x.of); now > 1.15*then {
			s.t.Errorf("%s grows: %.0f MB in the last quarter, %.0f MB in the second", x.what, now, then)
		}
	}
}
