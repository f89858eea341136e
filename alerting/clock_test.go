package alerting

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/model"
)

func TestWhatIsJudgedLateSaysSo(t *testing.T) {
	for _, late := range []int64{0, 2 * minuteMs, 12 * minuteMs, 365 * dayMs} {
		b := newBench(Options{})
		b.late = late
		b.minutes(3)
		b.alarm(sig(servfail), model.High, 0.31, 1)
		b.minutes(3)
		want := late
		if late < LateFromMs {
			want = 0
		}
		if b.reasons() != "first" || b.told[0].Incident.LateMs != want {
			t.Fatalf("%s late: told %q, LateMs %d", Span(late), b.reasons(), b.told[0].Incident.LateMs)
		}
		restored := NewManager(Options{Rule: ruleByName})
		if err := restored.RestoreState(b.m.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		if got := restored.Incidents()[0].LateMs; got != want {
			t.Errorf("%s late: %d after a restart, want %d", Span(late), got, want)
		}
		b.late = 0 // it has caught up
		for s := range b.on {
			b.calm(s, model.Recovered)
		}
		b.minutes(8)
		if b.reasons() != "first resolved" || b.told[1].Incident.LateMs != 0 {
			t.Errorf("in time again: told %q, LateMs %d", b.reasons(), b.told[1].Incident.LateMs)
		}
	}
}

// TestStateOfAnOlderProgramIsRead writes a state as the versions before did, which knew less.
func TestStateOfAnOlderProgramIsRead(t *testing.T) {
	b := newBench(Options{})
	b.alarm(sig(servfail), model.High, 0.31, 1)
	b.minutes(3)
	for version := stateNow - 1; version > 0; version-- {
		for _, inc := range b.m.open {
			if version == 1 {
				inc.heard = 0 // it did not know
			}
		}
		now := b.m.AppendState(nil)
		c := &stateCoder{Coder: codec.Writing([]byte(fmt.Sprint(stateMagic, version))), rule: ruleByName, version: version}
		c.manager(b.m)
		m := NewManager(Options{Rule: ruleByName})
		if err := m.RestoreState(c.Bytes()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.AppendState(nil), now) {
			t.Errorf("what version %d wrote is read as something else", version)
		}
	}
}

// A clock that was ahead by a day or a year and is put right: an incident from then ends, messages are not used up for days that have not come, the next fault is told.
func TestClockTurnedBack(t *testing.T) {
	for _, ahead := range []int64{60 * minuteMs, dayMs, 365 * dayMs} {
		b := newBench(Options{NotificationsPerDay: 1, PagesPerDay: 1})
		b.minutes(3)
		b.t += ahead
		dns, lat := sig(servfail), sig(dnsLat)
		b.alarm(dns, model.High, 0.31, 1)
		b.minutes(3)
		b.t -= ahead - 3*minuteMs
		b.minutes(1)
		inc := b.m.Incidents()[0]
		if inc.Onset > b.t || inc.Members[0].Opened > b.t || b.reasons() != "first" {
			t.Fatalf("%s: onset %s after now %s; told %q", Span(ahead), Clock(inc.Onset), Clock(b.t), b.reasons())
		}
		for s := range b.on {
			b.calm(s, model.Recovered)
		}
		b.minutes(8)
		if b.reasons() != "first resolved" {
			t.Fatalf("%s: told %q, want the end of what began in the future", Span(ahead), b.reasons())
		}
		if ahead >= dayMs {
			b.alarm(lat, model.High, 2.5, 1)
			b.minutes(4)
			if b.reasons() != "first resolved first" {
				t.Fatalf("%s: told %q: the day that never was has used up the messages of this one", Span(ahead), b.reasons())
			}
		}
	}
}
