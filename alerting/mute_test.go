package alerting

import (
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline/model"
)

func say(t *testing.T, b *act.Book, d act.Draft, now int64) *act.Act {
	t.Helper()
	d.Who = "anna"
	a, err := d.Act(now)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(&act.Entry{Act: a}); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestASilenceMutesAndItsEndTells: A is silenced and opens an incident, its twin B is told; when the silence ends and the alarm stands it is told, and what was announced before is said to be open still.
func TestASilenceMutesAndItsEndTells(t *testing.T) {
	book := &act.Book{}
	b := newBench(Options{Acts: book, NotificationsPerDay: -1})
	a := say(t, book, act.Draft{Kind: act.Silence, Rule: act.Rule{Match: []string{`workload="a"`}}, For: "30m"}, b.t)
	b.alarm(sig(wlCPU, "namespace", "x", "workload", "a"), model.High, 1, 1)
	b.minutes(20)
	s := b.m.Snapshot()
	if b.reasons() != "" || len(s.Open) != 1 || len(s.Open[0].Silenced()) != 1 || s.Open[0].Silenced()[0] != a.ID {
		t.Fatalf("%q, %d open", b.reasons(), len(s.Open))
	}
	b.alarm(sig(wlMem, "namespace", "y", "workload", "b"), model.High, 1, 1)
	b.minutes(5)
	if b.reasons() != "first" || b.told[0].Incident.Headline().Entity.Get("workload") != "b" {
		t.Fatalf("the twin is not told alone: %q", b.reasons())
	}
	b.minutes(10)
	if b.reasons() != "first first" || b.told[1].T < a.Until || b.told[1].T > a.Until+minuteMs {
		t.Fatalf("the end of the silence: %q", b.reasons())
	}
	say(t, book, act.Draft{Kind: act.Silence, Rule: act.Rule{Match: []string{`workload="a"`}}, For: "10m"}, b.t)
	b.minutes(15)
	if b.reasons() != "first first repeat" {
		t.Errorf("what was announced and silenced since: %q", b.reasons())
	}
}

// TestWhatSomebodyHasIsNotRepeatedAfterASilence: the end of a silence says again what is open; of an incident that somebody has it says nothing until he gives it back, and what got worse is told as ever.
func TestWhatSomebodyHasIsNotRepeatedAfterASilence(t *testing.T) {
	for _, c := range []struct {
		name string
		ack  string // which incident is acknowledged: "", "this", "other"
		undo bool
		want string
	}{
		{"nobody has it", "", false, "first first repeat"},
		{"somebody has another", "other", false, "first first repeat"},
		{"somebody has it", "this", false, "first first"},
		{"given back", "this", true, "first first repeat"},
	} {
		t.Run(c.name, func(t *testing.T) {
			book := &act.Book{}
			b := newBench(Options{Acts: book, NotificationsPerDay: -1})
			b.alarm(sig(wlCPU, "namespace", "x", "workload", "a"), model.High, 1, 1)
			b.alarm(sig(wlMem, "namespace", "y", "workload", "b"), model.High, 1, 1)
			b.minutes(10)
			ids := map[string]string{}
			for _, inc := range b.m.Snapshot().Open {
				ids[inc.Headline().Entity.Get("workload")] = inc.ID
			}
			var x *act.Act
			if id := map[string]string{"this": ids["a"], "other": ids["b"]}[c.ack]; id != "" {
				x = say(t, book, act.Draft{Kind: act.Ack, Incident: id}, b.t)
			}
			say(t, book, act.Draft{Kind: act.Silence, Rule: act.Rule{Match: []string{`workload="a"`}}, For: "20m"}, b.t)
			b.minutes(30)
			if c.undo {
				if got := b.reasons(); got != "first first" {
					t.Fatalf("before it is given back: %q", got)
				}
				if err := book.Apply(&act.Entry{Undo: x.ID, By: &act.Undo{Who: "anna", T: b.t}}); err != nil {
					t.Fatal(err)
				}
				b.minutes(2)
			}
			if got := b.reasons(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestWhatSomebodyHasIsToldWhenItGetsWorse: an acknowledgement takes nothing from the noise contract: a warning that becomes a page is told at once, one that does not change is not.
func TestWhatSomebodyHasIsToldWhenItGetsWorse(t *testing.T) {
	for _, worse := range []bool{true, false} {
		book := &act.Book{}
		b := newBench(Options{Acts: book, NotificationsPerDay: -1})
		b.alarm(sig(wlCPU, "namespace", "x", "workload", "a"), model.High, 1, 1)
		b.minutes(10)
		say(t, book, act.Draft{Kind: act.Ack, Incident: b.m.Snapshot().Open[0].ID}, b.t)
		want := "first"
		if worse {
			b.alarm(sig(wlOOM, "namespace", "x", "workload", "a"), model.High, 1, 1)
			want = "first changed"
		}
		b.minutes(30)
		if got := b.reasons(); got != want {
			t.Errorf("worse: %v: %q, want %q", worse, got, want)
		}
	}
}

// TestTooSmallIsOfTheBandAlone: what is expected followed a drift and stands where a value does not move: how far the value is from it is no measure of them. What is above or below its band is covered as ever.
func TestTooSmallIsOfTheBandAlone(t *testing.T) {
	effect, most := 5.0, 100.0
	for _, c := range []struct {
		name  string
		state model.State
		test  model.Test
		rule  act.Rule
		want  bool
	}{
		{"a step up", model.High, model.ShiftTest, act.Rule{Effect: &effect}, true},
		{"a point", model.Low, model.PointTest, act.Rule{Effect: &effect}, true},
		{"a few events", model.High, model.EventTest, act.Rule{Effect: &effect}, true},
		{"a drift", model.Drifting, model.DriftTest, act.Rule{Effect: &effect}, false},
		{"a drift that a shift was louder than", model.Drifting, model.ShiftTest, act.Rule{Effect: &effect}, false},
		{"a drift that is back in its band", model.Normal, model.DriftTest, act.Rule{Effect: &effect}, false},
		{"a mark", model.High, model.CeilingTest, act.Rule{Effect: &effect}, false},
		{"a flat line", model.Low, model.FlatTest, act.Rule{Effect: &effect}, false},
		{"bounds cover a drift as they did", model.Drifting, model.DriftTest, act.Rule{AtMost: &most}, true},
	} {
		c.rule.Match = []string{`signal="wl.cpu_cores"`}
		a, err := (&act.Draft{Kind: act.Lesson, Who: "anna", Rule: c.rule}).Act(t0)
		if err != nil {
			t.Fatal(err)
		}
		x, err := act.Try(a)
		if err != nil {
			t.Fatal(err)
		}
		m := Member{Name: "wl.cpu_cores", State: c.state, Test: c.test, SlopePerDay: 1}
		if got := x.Mutes(m.subject("prod", 11, model.Band{Lower: 9, Expected: 10, Upper: 10.5}), t0); got != c.want {
			t.Errorf("%s: muted %v, want %v", c.name, got, c.want)
		}
	}
}

// TestForesightIsBounded: however many incidents, members and notifications there are, an act is asked a bounded number of times, and who is not looked at is counted; few are looked at all, and that an hour ends is seen.
func TestForesightIsBounded(t *testing.T) {
	trial := func(from, to string) *act.Trial {
		effect := 1e300
		a, err := (&act.Draft{Kind: act.Lesson, Who: "anna", Rule: act.Rule{Match: []string{`signal="wl.cpu_cores"`}, Effect: &effect, When: &route.TimeSpan{Times: []route.TimeRange{{Start: from, End: to}}}}}).Act(t0)
		if err != nil {
			t.Fatal(err)
		}
		x, err := act.Try(a)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	const onset = t0 - t0%dayMs + 10*60*minuteMs // ten o'clock
	snap := func(incidents, members, told int) *Snapshot {
		s := &Snapshot{}
		for range incidents {
			inc := &Incident{ID: "x", Onset: onset, Updated: onset + 30*dayMs}
			for range members {
				inc.Members = append(inc.Members, Member{Name: "wl.cpu_cores", State: model.High, Onset: onset, Opened: onset, Worst: 5, WorstBand: model.Band{Expected: 1, Upper: 2}})
			}
			for k := range told {
				inc.Timeline = append(inc.Timeline, Event{T: onset + int64(k)*minuteMs, Kind: "notified", Signal: string(First)})
			}
			s.Closed = append(s.Closed, inc)
		}
		return s
	}
	book := new(act.Book).View()
	began := time.Now()
	f := Foresee(snap(2000, 40, 20), book, trial("00:00", "24:00"))
	if f.Skipped == 0 || f.Count == 0 || f.Skipped+f.Told/20 > 2000 {
		t.Errorf("%+v", f)
	}
	if d := time.Since(began); d > 20*time.Second { // 1.6 million questions a minute of a week each would be hours
		t.Errorf("it took %s", d)
	}
	if f = Foresee(snap(3, 2, 2), book, trial("00:00", "24:00")); f.Skipped != 0 || f.Count != 6 || f.Later != 0 || f.Quieted != 3 {
		t.Errorf("few: %+v", f)
	}
	if f = Foresee(snap(3, 2, 2), book, trial("09:00", "11:15")); f.Count != 6 || f.Later != 6 || f.Quieted != 0 {
		t.Errorf("an hour that ends: %+v", f)
	}
}
