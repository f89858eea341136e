package main

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/signal"
)

// TestSenderThatStaysBehindIsTold holds which lags are told, and when they are over.
func TestSenderThatStaysBehindIsTold(t *testing.T) {
	const t0 = int64(1_772_409_600_000)
	for _, c := range []struct {
		name  string
		lag   func(minute float64) float64 // minutes, by minutes
		other bool                         // somebody else delivers the cluster in time
		first float64                      // told by this minute; 0 = never
		ends  float64                      // … and over by this one; 0 = never
	}{
		{"12 minutes for good", func(float64) float64 { return 12 }, false, 3, 0},
		{"a year for good", func(float64) float64 { return 525_600 }, false, 3, 0},
		{"9 minutes for good", func(float64) float64 { return 9 }, false, 0, 0},
		{"12 minutes, and the other half of the pair is in time", func(float64) float64 { return 12 }, true, 0, 0},
		{"6 hours, drained within 20 minutes", func(m float64) float64 { return max(0, 360-18*m) }, false, 0, 0},
		{"2 hours, drained at twice the pace", func(m float64) float64 { return max(0, 120-m) }, false, 62, 120},
		{"6 hours, hardly drained", func(m float64) float64 { return max(0, 360-.2*m) }, false, 3, 0},
		{"it falls behind ever more", func(m float64) float64 { return .5 * m }, false, 24, 0},
		{"30 minutes, then in time", func(m float64) float64 {
			if m < 30 {
				return 30
			}
			return 0
		}, false, 3, 33},
	} {
		var told []alerting.Notification
		var at []float64
		now := t0
		fresh := func() *laggards {
			return &laggards{behind: map[string]lag{}, tell: func(n alerting.Notification) {
				told = append(told, n)
				at = append(at, float64(now-t0)/60_000)
			}}
		}
		w := fresh()
		for now < t0+180*60_000 {
			now += 15_000
			s := signal.SenderStats{Name: "agent", Cluster: "east", FirstMs: t0 - 3600_000, LastMs: now - 5000}
			s.LastT = now - int64(c.lag(float64(now-t0)/60_000)*60_000)
			list := []signal.SenderStats{s}
			if c.other {
				list = append(list, signal.SenderStats{Name: "twin", Cluster: "east", FirstMs: t0, LastMs: now, LastT: now})
			}
			w.look(list, now)
			if now%600_000 == 0 { // a restart changes nothing
				state := w.appendState(nil)
				w = fresh()
				if err := w.restoreState(state); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := 0
		if c.first > 0 {
			want++
		}
		if c.ends > 0 {
			want++
		}
		if len(told) != want {
			t.Errorf("%s: %d messages at %v, want %d", c.name, len(told), at, want)
			continue
		}
		if want > 0 && (told[0].Reason != alerting.First || at[0] > c.first || !strings.Contains(told[0].Incident.Title, "agent stays")) {
			t.Errorf("%s: %s at minute %g: %s", c.name, told[0].Reason, at[0], told[0].Incident.Title)
		}
		if want > 1 && (told[1].Reason != alerting.Resolved || at[1] > c.ends || told[1].IncidentID != told[0].IncidentID || told[1].Incident.Open()) {
			t.Errorf("%s: %s at minute %g", c.name, told[1].Reason, at[1])
		}
	}
}

// A sender that is behind and falls silent, or whose cluster is forgotten, is not told twice; the latter ends it.
func TestLagThatEndsOtherwise(t *testing.T) {
	const t0 = int64(1_772_409_600_000)
	var told []alerting.Notification
	w := &laggards{behind: map[string]lag{}, tell: func(n alerting.Notification) { told = append(told, n) }}
	s := signal.SenderStats{Name: "agent", Cluster: "east", FirstMs: t0 - 3600_000}
	now := t0
	for range 60 {
		now += 15_000
		s.LastMs, s.LastT = now, now-720_000
		w.look([]signal.SenderStats{s}, now)
	}
	for range 60 { // silent: told as what it is
		now += 15_000
		w.look([]signal.SenderStats{s}, now)
	}
	if len(told) != 1 || len(w.behind) != 1 {
		t.Fatalf("%d messages, %d known", len(told), len(w.behind))
	}
	w.look(nil, now)
	if len(told) != 2 || told[1].Incident.Resolution != "gone" || len(w.behind) != 0 {
		t.Errorf("when its cluster is forgotten: %d messages, %d known", len(told), len(w.behind))
	}
	if w.restoreState([]byte{1, 200}) == nil || w.restoreState(append(w.appendState(nil), 0)) == nil {
		t.Error("damage was taken for a state")
	}
}
